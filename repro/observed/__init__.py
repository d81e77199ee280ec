"""Spectra of real stars: read, brought to what a model was trained on, estimated, and held against known labels."""
