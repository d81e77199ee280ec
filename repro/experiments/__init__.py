"""The matrix of experiments: which model learns from what, with which settings, and what it says of the test stars."""
