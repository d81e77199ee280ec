"""Spectra to be looked at: what the user names, read, brought onto one grid and compared. No stage needs them."""
