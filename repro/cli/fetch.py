"""`repro fetch`: the spectra of other archives."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from repro.errors import ParameterError
from repro.labels import LABELS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from repro.sources.bosz.settings import Settings


def _choice(function: Callable[..., Any]) -> Callable[..., Any]:
    """Options that say which files are meant."""
    options = (
        click.option("--release", type=click.Choice(["2017", "2024"]), default="2017", show_default=True),
        click.option("--resolution", default="50000", show_default=True, help="R of the files; `orig`: not broadened."),
        click.option("--format", "file_format", type=click.Choice(["fits", "ascii"]), default="fits", help="Of 2017."),
        click.option("--microturbulence", default=2.0, show_default=True, help="[km/s]; 2017 has 2 alone."),
        click.option(
            "--nodes",
            multiple=True,
            metavar="3d|5d|LABELS",
            help="The paper's lattice at solar alpha and carbon (1260 nodes, the default) or the whole of it (30240), "
            f"or one node as {','.join(LABELS)}; may be repeated.",
        ),
        click.option("--t-eff", metavar="K,K,...", help="Temperatures of the lattice instead of the paper's."),
        click.option("--base-url", help="Folder of the release on the server; without it that of MAST."),
        _folder,
        _manifest,
        _json,
    )
    for option in reversed(options):
        function = option(function)
    return function


_folder = click.option(
    "--folder", type=click.Path(file_okay=False, path_type=Path), help="Of the slices; else data/bosz/<release>."
)
_manifest = click.option(
    "--manifest",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Of the hashes; else data/manifests/bosz<release>.json.",
)
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def command() -> None:
    """Download the spectra of other archives, and check what was downloaded."""


@command.command()
@_choice
@click.option("--connections", default=4, show_default=True, help="Files downloaded at the same time.")
@click.option("--timeout", default=60.0, show_default=True, help="Seconds without a byte before another attempt.")
@click.option("--accept", multiple=True, metavar="NAME", help="Take this file though its hash or a sanity test fails.")
@click.option("--retry-missing", is_flag=True, help="Ask again for files that the archive did not have (404).")
@click.option("--dry-run", is_flag=True, help="Print the addresses and the size of what would be downloaded.")
def bosz(
    connections: int,
    timeout: float,
    accept: tuple[str, ...],
    retry_missing: bool,
    dry_run: bool,
    as_json: bool,
    **choice: Any,
) -> None:
    """Download BOSZ spectra, check them and keep 6580-9020 A of each.

    An interrupted run is taken up by the same command. What is here and sound is not downloaded again. Exit code: 0 if
    all files are here that the archive has, else 2.
    """
    from repro.progress import progress
    from repro.sources.bosz.fetch import fetch_bosz

    settings, labels, folder, manifest = _chosen(**choice, accept=accept, connections=connections, timeout=timeout)
    if dry_run:
        _print_plan(settings, labels, folder, manifest, as_json)
        return
    with progress(f"bosz {settings.release}: files") as report:
        summary = fetch_bosz(
            settings, labels, folder, manifest, accept=accept, retry_missing=retry_missing, progress=report
        )
    if as_json:
        click.echo(json.dumps(summary.as_json(), indent=1))
    else:
        for line in summary.lines():
            click.echo(line)
    sys.exit(2 if summary.failed else 0)


@command.command()
@_choice
def status(as_json: bool, **choice: Any) -> None:
    """Count the files that are here, missing in the archive, and still to be downloaded."""
    from repro.sources.bosz.inventory import inventory

    found = inventory(*_chosen(**choice))
    if as_json:
        click.echo(json.dumps(found.as_json(), indent=1))
    else:
        click.echo(
            f"present {len(found.present)}, missing in the archive {len(found.missing)}, to go {len(found.to_go)}"
        )


@command.command()
@click.option("--release", type=click.Choice(["2017", "2024"]), default="2017", show_default=True)
@_folder
@_manifest
@_json
def verify(release: str, folder: Path | None, manifest: Path | None, as_json: bool) -> None:
    """Hash every slice again and compare with the manifest.

    Exit code: 0 if all that are here are sound, else 2. Absent ones are counted.
    """
    from repro.progress import progress
    from repro.sources.bosz import inventory

    folder, manifest = _places(release, folder, manifest)
    with progress("slices hashed") as report:
        sound, absent, damaged = inventory.verify(f"bosz{release}", folder, manifest, report)
    if as_json:
        click.echo(json.dumps({"sound": sound, "absent": absent, "damaged": damaged}, indent=1))
    else:
        click.echo(f"sound {len(sound)}, absent {len(absent)}, damaged {len(damaged)}")
        for name in damaged:
            click.echo(f"  {folder / name}.npz: not what {manifest} says; `repro fetch bosz` downloads it again")
    sys.exit(2 if damaged else 0)


def _chosen(
    release: str,
    resolution: str,
    nodes: tuple[str, ...],
    t_eff: str | None,
    folder: Path | None,
    manifest: Path | None,
    accept: tuple[str, ...] = (),
    **values: Any,
) -> "tuple[Settings, NDArray[np.float64], Path, Path]":
    """Settings, labels (n, 5), folder and manifest that the options stand for; what is accepted is asked for too."""
    import numpy as np

    from repro.sources.bosz.settings import Settings

    number: Any = int(resolution) if resolution.isdigit() else resolution
    settings = Settings(release=2017 if release == "2017" else 2024, resolution=number, **values)
    temperatures = None if t_eff is None else _numbers("--t-eff", t_eff)
    accepted = [np.array([settings.open().labels(name)]) for name in accept]
    words = nodes or (() if accepted else ("3d",))
    labels = np.concatenate([*accepted, *(_labels(word, temperatures) for word in words)])
    return settings, labels, *_places(release, folder, manifest)


def _places(release: str, folder: Path | None, manifest: Path | None) -> tuple[Path, Path]:
    return folder or Path(f"data/bosz/{release}"), manifest or Path(f"data/manifests/bosz{release}.json")


def _labels(word: str, temperatures: list[float] | None) -> "NDArray[np.float64]":
    """Labels (n, 5) of a lattice by name or of one node."""
    import numpy as np

    from repro.spectra.lattice import Lattice, paper_3d, paper_5d

    lattices = {"3d": paper_3d, "5d": paper_5d}
    if word in lattices:
        lattice = lattices[word]()
        if temperatures is not None:
            lattice = Lattice({**lattice.axes, "T_eff": tuple(temperatures)})
        return lattice.labels
    values = _numbers("--nodes", word)
    if len(values) != len(LABELS):
        raise ParameterError(f"--nodes {word}: a node is 3d, 5d or {len(LABELS)} numbers, {','.join(LABELS)}")
    return np.array([values])


def _numbers(option: str, text: str) -> list[float]:
    try:
        return [float(value) for value in text.split(",")]
    except ValueError as error:
        raise ParameterError(f"{option} {text}: numbers separated by commas are expected") from error


def _print_plan(
    settings: "Settings", labels: "NDArray[np.float64]", folder: Path, manifest: Path, as_json: bool
) -> None:
    """Addresses on standard output, the sum on standard error."""
    from dataclasses import asdict

    from repro.sources.bosz.inventory import to_fetch

    wanted = to_fetch(settings, labels, folder, manifest)
    typical = settings.open().file_bytes
    size = sum(file.bytes or typical for file in wanted)
    if as_json:
        click.echo(json.dumps({"bytes": size, "files": [asdict(file) for file in wanted]}, indent=1))
        return
    for file in wanted:
        click.echo(file.address)
    click.echo(f"{len(wanted)} files, about {size / 1e9:.2f} GB", err=True)
