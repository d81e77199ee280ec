"""`repro pack`: the pinned node grids of scale ci."""

from collections.abc import Iterator
from pathlib import Path

import click

WORK = Path("data/work/pack")

_grid = click.option(
    "--grid",
    type=click.Choice(["3d", "5d", "all"]),
    default="all",
    show_default=True,
    help="3d: all 1260 published nodes at solar alpha and carbon; 5d: 10080 of the published 30240.",
)
_folder = click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("data/pack"),
    show_default=True,
    help="Where the packs nodes_3d.h5 and nodes_5d.h5 lie.",
)
_device = click.option("--device", default="cpu", show_default=True, help="Where torch computes: cpu or cuda.")
_microturbulence = click.option("--microturbulence", default=2.0, show_default=True, help="[km/s]")


@click.group()
def command() -> None:
    """Build, check or describe the pinned node grids of scale ci."""


@command.command()
@_grid
@_folder
@_device
@_microturbulence
@click.option("--work", type=click.Path(file_okay=False, path_type=Path), default=WORK, show_default=True)
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    help="Processes that synthesise, one thread each.  [default: one a core on cpu, 1 on cuda]",
)
def build(grid: str, folder: Path, device: str, microturbulence: float, work: Path, workers: int | None) -> None:
    """Synthesise the nodes and pack them.

    Finished blocks are kept under --work: after an interruption the same command goes on where it stopped. The packs
    do not depend on the number of workers.
    """
    import os
    import shutil

    from repro.instrument.observe import Instrument
    from repro.progress import progress
    from repro.sources.lte import LteSource
    from repro.spectra.build import build_nodes, local_pool
    from repro.spectra.pack import LATTICES, write_pack

    source = LteSource(device=device, microturbulence=microturbulence)
    with local_pool(workers or (os.cpu_count() or 1 if device == "cpu" else 1)) as executor:
        for name, path in _packs(grid, folder):
            with progress(f"{name} nodes") as report:
                nodes = build_nodes(
                    source, Instrument(), LATTICES[name](), work / name, executor=executor, progress=report
                )
            error = write_pack(nodes, path)
            shutil.rmtree(work / name)
            size = path.stat().st_size / 1e6
            click.echo(f"{path}: {nodes.lattice.size} nodes, {size:.2f} MB, flux error at most {error:.1e}")


@command.command()
@_grid
@_folder
@_device
@_microturbulence
@click.option("--sample", default=4, show_default=True, help="Nodes to synthesise again.")
@click.option("--seed", default=0, show_default=True, help="Chooses the nodes.")
def check(grid: str, folder: Path, device: str, microturbulence: float, sample: int, seed: int) -> None:
    """Compare the packs with the physics code at hand and with nodes synthesised again."""
    from repro.instrument.observe import Instrument
    from repro.sources.lte import LteSource
    from repro.spectra.pack import check_pack

    source = LteSource(device=device, microturbulence=microturbulence)
    for _, path in _packs(grid, folder):
        worst = check_pack(path, source, Instrument(), sample=sample, seed=seed)
        click.echo(f"{path}: of this physics code; {sample} nodes synthesised again differ by at most {worst:.1e}")


@command.command()
@_grid
@_folder
def show(grid: str, folder: Path) -> None:
    """Describe the packs, with what they lack of the published lattice."""
    from repro.spectra.lattice import paper_5d
    from repro.spectra.pack import read_pack

    published = paper_5d()
    for _, path in _packs(grid, folder):
        nodes = read_pack(path)
        lattice = nodes.lattice
        click.echo(f"{path}: {path.stat().st_size / 1e6:.2f} MB")
        click.echo(f"source           {nodes.source}, microturbulence {nodes.microturbulence:g} km/s")
        click.echo(f"fingerprint      {nodes.fingerprint}")
        click.echo(f"wavelength       {nodes.wave[0]:.2f} to {nodes.wave[-1]:.2f} A in {nodes.wave.size} pixels")
        click.echo(f"nodes            {lattice.size} of the published {published.size}")
        if lattice.missing:
            click.echo(f"without a model  {len(lattice.missing)} nodes of the axes below")
        for name, values in lattice.axes.items():
            click.echo(f"  {name:<14} {len(values):>3}   {_listed(values)}")
            absent = [value for value in published.axes[name] if value not in values]
            if absent:
                click.echo(f"    not in it    {len(absent):>3}   {_listed(absent)}")


def _listed(values: tuple[float, ...] | list[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)


def _packs(grid: str, folder: Path) -> Iterator[tuple[str, Path]]:
    """Name and file of each pack asked for."""
    from repro.spectra.pack import LATTICES, pack_path

    for name in LATTICES if grid == "all" else (grid,):
        yield name, pack_path(name, folder)
