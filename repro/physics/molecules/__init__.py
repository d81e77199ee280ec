"""Lines of diatomic molecules (CN and TiO), computed from published spectroscopic constants, and their opacity."""
