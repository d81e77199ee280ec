"""Reproducibility kit for six paper tracks on stellar surface gravity from spectra."""

__version__ = "0.1.0"
