"""Node grids and spectrum sets on the 4096 PFS-MR pixels: sampling, interpolation, noise, storage, validation."""
