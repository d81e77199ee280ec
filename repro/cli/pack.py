"""`repro pack`: the pinned node grid of scale ci."""

from pathlib import Path

import click

PATH = Path("data/pack/nodes_ci.h5")
WORK = Path("data/work/pack")

_path = click.option(
    "--path", type=click.Path(dir_okay=False, path_type=Path), default=PATH, show_default=True, help="The pack."
)
_device = click.option("--device", default="cpu", show_default=True, help="Where torch computes: cpu or cuda.")
_microturbulence = click.option("--microturbulence", default=2.0, show_default=True, help="[km/s]")


@click.group()
def command() -> None:
    """Build, check or describe the pinned node grid of scale ci."""


@command.command()
@_path
@_device
@_microturbulence
@click.option("--work", type=click.Path(file_okay=False, path_type=Path), default=WORK, show_default=True)
def build(path: Path, device: str, microturbulence: float, work: Path) -> None:
    """Synthesise the paper's 3D lattice and pack it.

    Finished blocks are kept under --work: after an interruption the same command goes on where it stopped.
    """
    import shutil

    from repro.instrument.observe import Instrument
    from repro.progress import progress
    from repro.sources.lte import LteSource
    from repro.spectra.build import build_nodes
    from repro.spectra.lattice import paper_3d
    from repro.spectra.pack import write_pack

    with progress("nodes") as report:
        source = LteSource(device=device, microturbulence=microturbulence)
        grid = build_nodes(source, Instrument(), paper_3d(), work, progress=report)
    error = write_pack(grid, path)
    shutil.rmtree(work)
    click.echo(f"{path}: {grid.lattice.size} nodes, {path.stat().st_size / 1e6:.2f} MB, flux error at most {error:.1e}")


@command.command()
@_path
@_device
@_microturbulence
@click.option("--sample", default=4, show_default=True, help="Nodes to synthesise again.")
@click.option("--seed", default=0, show_default=True, help="Chooses the nodes.")
def check(path: Path, device: str, microturbulence: float, sample: int, seed: int) -> None:
    """Compare the pack with the physics code at hand and with nodes synthesised again."""
    from repro.instrument.observe import Instrument
    from repro.sources.lte import LteSource
    from repro.spectra.pack import check_pack

    source = LteSource(device=device, microturbulence=microturbulence)
    worst = check_pack(path, source, Instrument(), sample=sample, seed=seed)
    click.echo(f"{path}: of this physics code; {sample} nodes synthesised again differ by at most {worst:.1e}")


@command.command()
@_path
def show(path: Path) -> None:
    """Describe the pack."""
    from repro.spectra.pack import read_pack

    grid = read_pack(path)
    click.echo(f"{path}: {path.stat().st_size / 1e6:.2f} MB")
    click.echo(f"source           {grid.source}, microturbulence {grid.microturbulence:g} km/s")
    click.echo(f"fingerprint      {grid.fingerprint}")
    click.echo(f"wavelength       {grid.wave[0]:.2f} to {grid.wave[-1]:.2f} A in {grid.wave.size} pixels")
    click.echo(f"nodes            {grid.lattice.size}")
    for name, nodes in grid.lattice.axes.items():
        span = f"{nodes[0]:g} to {nodes[-1]:g}" if len(nodes) > 1 else f"{nodes[0]:g}"
        click.echo(f"  {name:<14} {len(nodes):>3}   {span}")
