"""Arms of the vision transformer: the scaling law, the ablations that the papers announce, what stands beside it."""
