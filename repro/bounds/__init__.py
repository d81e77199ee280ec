"""Bounds on what any estimator can reach: derivatives, Fisher information and the Cramer-Rao ceilings built on it."""
