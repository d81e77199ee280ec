"""Models that estimate a label from a noisy spectrum; one file a model."""
