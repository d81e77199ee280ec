"""Source `bosz`: the BOSZ libraries of synthetic spectra, downloaded from MAST node by node.

`fetch` downloads, checks and slices; `source` offers the slices as spectra. Releases 2017 (Bohlin et al. 2017, AJ 153,
234) and 2024 (Meszaros et al. 2024, A&A 688, A197); DOI 10.17909/T95G68. No spectrum is part of the kit.
"""
