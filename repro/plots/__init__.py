"""Figures, one module each, named after the figure; every module has `draw(..., path)`."""
