"""Exact posteriors of log g on the simulator's own prior: the best that any estimator can do on the same spectra."""
