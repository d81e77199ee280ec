"""`repro export`: spectra in the file layout of the original author."""

from pathlib import Path
from typing import Literal

import click

_file = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("spectra", metavar="[SET]", type=_file, required=False)
@click.option(
    "--split", type=click.Choice(["train", "val", "test"]), help="Export the pipeline's set of this split, not SET."
)
@click.option("--nodes", type=_file, help="Export a node grid, e.g. data/nodes_5d.h5, as a Fisher-grid file.")
@click.option("--mag", type=float, help="With --nodes: HSC-i magnitude of all rows.")
@click.option(
    "--noise-model",
    type=click.Choice(["paper", "physical"]),
    default="paper",
    show_default=True,
    help="With --nodes: where the errors come from.",
)
@click.option("--with-noise", type=float, metavar="LEVEL", help="Add the array `noisy`: one draw at this noise level.")
@click.option("--seed", default=42, show_default=True, help="With --with-noise: root of the draw.")
@click.option("--shards", default=1, show_default=True, help="Number of files: DIR_0/dataset.h5, DIR_1/dataset.h5, ...")
@click.option("--float32", is_flag=True, help="32-bit arrays: half the size of the original's 64 bits.")
@click.option("-o", "--output", type=_file, required=True, metavar="DIR/dataset.h5", help="The file to write.")
def command(
    spectra: Path | None,
    split: str | None,
    nodes: Path | None,
    mag: float | None,
    noise_model: Literal["paper", "physical"],
    with_noise: float | None,
    seed: int,
    shards: int,
    float32: bool,
    output: Path,
) -> None:
    """Write spectra in the file layout of the original data set, for the author's own code to read.

    SET is a spectrum set of the kit, e.g. data/spectra/test.h5.

    \b
    repro export --split test -o test_10k/dataset.h5
    repro export --split test --with-noise 1 --seed 42 -o test_noisy/dataset.h5
    repro export --split train --shards 5 -o train_200k/dataset.h5
    repro export --nodes data/nodes_5d.h5 --mag 21.5 -o fisher_215/dataset.h5

    The label table is read with pandas.read_hdf(path), without a key; arrays with h5py:
    spectrumdataset/wave, dataset/arrays/{flux,error,mask,noisy}/value.
    """
    if [spectra, split, nodes].count(None) != 2:
        raise click.UsageError("name one of SET, --split and --nodes")
    source = nodes or spectra or _of_split(split)
    if output.resolve() == source.resolve():
        raise click.UsageError(f"{output} is what is to be exported; name another file to write")
    if nodes is None:
        if mag is not None:
            raise click.UsageError("--mag is for --nodes: a spectrum set has its own magnitudes")
        _set(source, output, with_noise, seed, shards, float32)
    elif mag is None:
        raise click.UsageError("--nodes needs --mag")
    elif with_noise is not None or shards != 1:
        raise click.UsageError("--with-noise and --shards are for spectrum sets, not for --nodes")
    else:
        _nodes(nodes, output, mag, noise_model, float32)


def _of_split(split: str | None) -> Path:
    from repro.stages.paths import set_path

    return set_path(str(split))


def _set(spectra: Path, output: Path, level: float | None, seed: int, shards: int, float32: bool) -> None:
    from repro.progress import progress
    from repro.sources.hdf5.export import Draw, export_set

    draw = None if level is None else Draw(level, seed)
    with progress("spectra exported") as report:
        paths = export_set(spectra, output, shards=shards, draw=draw, float32=float32, progress=report)
    for path in paths:
        _say(path)


def _nodes(nodes: Path, output: Path, mag: float, noise_model: Literal["paper", "physical"], float32: bool) -> None:
    from repro.instrument.noise import NoiseModel
    from repro.progress import progress
    from repro.sources.hdf5.export import export_nodes
    from repro.spectra.nodes import NodeGrid

    grid = NodeGrid.read(nodes)
    with progress("nodes exported") as report:
        export_nodes(grid, output, mag, NoiseModel(noise_model), float32=float32, progress=report)
    _say(output)


def _say(path: Path) -> None:
    from repro.files import sha256

    click.echo(f"{path}: {path.stat().st_size / 1e6:.1f} MB, sha256 {sha256(path)}")
