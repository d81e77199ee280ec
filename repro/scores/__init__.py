"""Scores: numbers that judge a result, computed from stored per-node or per-star values."""
