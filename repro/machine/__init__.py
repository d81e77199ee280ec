"""What this machine offers and what the pipeline would do on it."""
