"""Stage `nodes`: the node grid, from the verified pack or synthesised node by node."""

from pathlib import Path

import numpy as np

from repro.errors import PackError
from repro.instrument.observe import Instrument
from repro.labels import LABELS
from repro.params import Params
from repro.progress import progress
from repro.sources.lte import LteSource
from repro.spectra.build import build_node_file
from repro.spectra.lattice import Lattice
from repro.spectra.nodes import NodeGrid
from repro.spectra.pack import check_pack, read_pack
from repro.stages.paths import NODES, PACK
from repro.stages.runner import Run, run_stage

WORK = Path("data/work/nodes")


def lattice_of(params: Params) -> Lattice:
    """The lattice that the parameters ask for."""
    axes = (params.nodes.T_eff, params.nodes.log_g, params.nodes.M_H, params.size.a_M, params.size.C_M)
    return Lattice(dict(zip(LABELS, axes, strict=True)))


def main(run: Run) -> None:
    """Write data/nodes.h5."""
    params = run.params
    lattice = lattice_of(params)
    source = LteSource(device=run.device, microturbulence=params.nodes.microturbulence)
    instrument = Instrument()
    if params.size.grid == "pack":
        packed_grid(lattice, source, instrument, params).write(NODES)
    else:
        with progress("nodes synthesised") as report:
            build_node_file(source, instrument, lattice, NODES, WORK, progress=report)


def packed_grid(lattice: Lattice, source: LteSource, instrument: Instrument, params: Params) -> NodeGrid:
    """The pinned pack, after a seeded sample of its nodes was synthesised again and compared.

    Raises:
        PackError: the pack belongs to other physics, or has other axes than params.yaml asks for.
    """
    check_pack(PACK, source, instrument, sample=params.nodes.recomputed, seed=params.seed)
    grid = read_pack(PACK)
    if grid.lattice.shape != lattice.shape or not np.array_equal(grid.lattice.labels, lattice.labels):
        raise PackError(
            f"{PACK}: holds the nodes {grid.lattice.shape} (T_eff, log_g, M_H, a_M, C_M), params.yaml asks for "
            f"{lattice.shape} or other values. Set ci.grid to 'build', or make the pack anew with `repro pack build`."
        )
    return grid


if __name__ == "__main__":
    run_stage("nodes", main)
