"""Where noise-free spectra come from. Every source returns spectra that the instrument can observe."""
