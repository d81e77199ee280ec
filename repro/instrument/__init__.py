"""The medium-resolution red arm of Subaru PFS: what the spectrograph makes of a spectrum, and how noisy it is."""
