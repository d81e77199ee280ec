"""Stage `nodes`: the 3D and the 5D node grid, from the verified packs, node by node, or from the author's file."""

import shutil
from pathlib import Path

from repro.errors import DataError, PackError
from repro.instrument.noise import NoiseModel
from repro.instrument.observe import Instrument
from repro.params import Params
from repro.progress import progress
from repro.sources.hdf5.importer import import_nodes
from repro.sources.lte import LteSource
from repro.spectra.build import build_nodes
from repro.spectra.lattice import Lattice
from repro.spectra.nodes import NodeGrid
from repro.spectra.pack import check_pack, read_pack
from repro.stages.executors import cluster_or_cores
from repro.stages.lattices import lattices_of
from repro.stages.paths import NODES_3D, NODES_5D, PACKS
from repro.stages.runner import Run, run_stage
from repro.stages.sources import open_source

WORK = Path("data/work/nodes")


def main(run: Run) -> None:
    """Write data/nodes_5d.h5 and data/nodes_3d.h5."""
    params = run.params
    if params.source == "hdf5":
        write_both(author_grid(params))
    elif params.source == "lte" and params.size.grid == "pack":
        for path, lattice in lattices_of(params).items():
            packed_grid(PACKS / path.name, lattice, params, run.device).write(path)
    else:
        build(run)


def build(run: Run) -> None:
    """Synthesise, or take from the archive, every node; blocks that are finished survive a kill."""
    lattices = lattices_of(run.params)
    grid = built_grid(run, lattices[NODES_5D])
    if set(map(tuple, lattices[NODES_3D].labels)) <= set(map(tuple, lattices[NODES_5D].labels)):
        write_both(grid)
    else:
        grid.write(NODES_5D)
        built_grid(run, lattices[NODES_3D]).write(NODES_3D)
    shutil.rmtree(WORK)


def built_grid(run: Run, lattice: Lattice) -> NodeGrid:
    """The grid of those nodes of a lattice of which the source has a model."""
    source, present = open_source(run.params, lattice, run.device)
    with cluster_or_cores(run.device) as executor, progress("nodes") as report:
        return build_nodes(source, Instrument(), present, WORK, executor=executor, progress=report)


def write_both(grid: NodeGrid) -> None:
    """Write a 5D grid, and its part at solar alpha and carbon.

    Raises:
        DataError: the grid has no node there.
    """
    solar = [name for name in ("a_M", "C_M") if 0.0 not in grid.lattice.axes[name]]
    if solar:
        raise DataError(f"the node grid has no nodes at {' = 0, '.join(solar)} = 0, of which the 3D grid is made")
    grid.write(NODES_5D)
    grid.sub(grid.lattice.part({"a_M": (0.0,), "C_M": (0.0,)})).write(NODES_3D)


def author_grid(params: Params) -> NodeGrid:
    """The nodes of one of the author's Fisher grids."""
    noise_model = NoiseModel(params.spectra.noise_model)
    return import_nodes(params.hdf5.nodes, noise_model, microturbulence=params.nodes.microturbulence)


def packed_grid(path: Path, lattice: Lattice, params: Params, device: str) -> NodeGrid:
    """The nodes of `lattice` from a pinned pack, after a seeded sample of it was synthesised again and compared.

    Raises:
        PackError: the pack belongs to other physics, or lacks nodes that params.yaml asks for.
    """
    source = LteSource(device=device, microturbulence=params.nodes.microturbulence)
    check_pack(path, source, Instrument(), sample=params.nodes.recomputed, seed=params.seed)
    grid = read_pack(path)
    try:
        return grid.sub(grid.lattice.part(lattice.axes))
    except DataError as error:
        raise PackError(
            f"{path}: lacks nodes that params.yaml asks for ({error}). Set {params.scale}.grid to 'build', or make the "
            "pack anew with `repro pack build`."
        ) from None


if __name__ == "__main__":
    run_stage("nodes", main)
