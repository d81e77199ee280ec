"""Claims, evidence and verdicts. Imports neither torch nor pandas nor numpy: `repro verify` answers at once."""
