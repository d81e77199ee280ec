"""One training loop for every torch model, what it draws its spectra from, and what it leaves on disk."""
