"""The source that the parameters name, and what it lacks."""

from pathlib import Path

import numpy as np

from repro.params import Params
from repro.sources.bosz.source import BoszSource
from repro.sources.lte import LteSource
from repro.sources.protocol import Source
from repro.spectra.lattice import Lattice
from repro.stages.bosz import bosz_settings
from repro.stages.paths import BOSZ, bosz_manifest


def open_source(params: Params, lattice: Lattice, device: str) -> tuple[Source, Lattice]:
    """The source `lte` or `bosz`, and the lattice less the nodes of which it has no model."""
    if params.source == "lte":
        return LteSource(device=device, microturbulence=params.nodes.microturbulence), lattice
    settings = bosz_settings(params)
    folder: Path = BOSZ / str(settings.release)
    source = BoszSource(settings, lattice.labels, folder, bosz_manifest(settings.release), device=device)
    absent = np.asarray(source.missing, dtype=np.intp)
    return source, Lattice(lattice.axes, tuple(np.flatnonzero(lattice.rows.ravel() >= 0)[absent].tolist()))
