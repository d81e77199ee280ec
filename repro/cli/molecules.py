"""`repro molecules`: lines of CN and TiO, and their cross-sections."""

import csv
import json
import sys
from collections.abc import Iterable
from pathlib import Path

import click

_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def command() -> None:
    """Lines of CN and TiO, computed from published constants, and their cross-sections."""


@command.command()
@click.option("--microturbulence", default=2.0, show_default=True, help="[km/s]")
@click.option("--wave-step", default=0.05, show_default=True, help="[A]")
@_json
def build(microturbulence: float, wave_step: float, as_json: bool) -> None:
    """Compute the cross-sections that the synthesizer needs, and how well they interpolate in temperature.

    They are kept in the folder of the variable REPRO_CACHE_DIR (without it: data/cache), where the synthesizer looks
    for them; it computes absent or damaged ones itself.
    """
    from repro.physics.molecules.build import build_cross_section
    from repro.physics.molecules.line_list import MOLECULES
    from repro.physics.synthesize import check_settings, opacity_pixels
    from repro.progress import progress

    check_settings(microturbulence, wave_step)
    wave = opacity_pixels(wave_step).wave().numpy()
    made = []
    for molecule in MOLECULES:
        with progress(molecule) as report:
            made.append(build_cross_section(molecule, wave, 1e5 * microturbulence, report))
    if as_json:
        click.echo(json.dumps([entry.as_dict() for entry in made], indent=1))
        return
    for entry in made:
        click.echo(
            f"{entry.molecule:<4} {entry.lines} lines in {entry.bands} bands, interpolated in temperature to "
            f"{entry.largest_error:.1e}, {entry.seconds:.1f} s: {entry.path}"
        )


@command.command("list")
@_json
def list_(as_json: bool) -> None:
    """List the band systems, their isotopologues, bands and lines, and the sources."""
    from dataclasses import asdict

    from repro.physics.molecules.line_list import MOLECULES, sources
    from repro.physics.molecules.listing import systems
    from repro.physics.synthesize import WAVE_RANGE

    found = {molecule: systems(molecule, *WAVE_RANGE) for molecule in MOLECULES}
    if as_json:
        content = {
            molecule: {"systems": [asdict(entry) for entry in entries], "sources": sources(molecule)}
            for molecule, entries in found.items()
        }
        click.echo(json.dumps(content, indent=1))
        return
    click.echo(f"lines of {WAVE_RANGE[0]:g} to {WAVE_RANGE[1]:g} A (vacuum)")
    for molecule, entries in found.items():
        click.echo(f"\n{molecule}   {'system':<10}{'isotopologue':<14}{'weight':>8}{'bands':>8}{'lines':>10}")
        for entry in entries:
            name = f"{entry.system:<10}{entry.isotopologue:<14}"
            click.echo(f"      {name}{entry.weight:>8.4f}{entry.bands:>8}{entry.lines:>10}")
        for source in sources(molecule):
            click.echo(f"      {source}")


@command.command()
@click.option("--molecule", required=True, help="CN or TiO.")
@click.option("--from", "low", type=float, required=True, help="Wavelength [A], vacuum.")
@click.option("--to", "high", type=float, required=True, help="Wavelength [A], vacuum.")
@click.option("--strongest", type=click.IntRange(min=1), help="Only so many lines, ranked at 3500 K.")
@_json
@click.option("--csv", "csv_file", type=click.Path(dir_okay=False, path_type=Path), help="Write this CSV file.")
def lines(molecule: str, low: float, high: float, strongest: int | None, as_json: bool, csv_file: Path | None) -> None:
    """Print the lines between two wavelengths.

    gf is that of the isotopologue, without its abundance; J is that of the lower level; branch R21f leads from the
    lower level's spin component 1 of symmetry f to component 2.
    """
    from repro.files import atomic_path
    from repro.physics.molecules.listing import COLUMNS, rows

    found = rows(molecule, low, high, strongest)
    if csv_file:
        with atomic_path(csv_file) as temporary, open(temporary, "w", encoding="utf-8", newline="") as file:
            _write_csv(file, COLUMNS, found)
        click.echo(f"{csv_file}: {len(found)} lines")
    elif as_json:
        click.echo(json.dumps([dict(zip(COLUMNS, row, strict=True)) for row in found], indent=1))
    else:
        _write_csv(sys.stdout, COLUMNS, found)


def _write_csv(file: object, header: Iterable[str], found: Iterable[tuple[object, ...]]) -> None:
    writer = csv.writer(file, lineterminator="\n")  # type: ignore[arg-type]
    writer.writerow(header)
    writer.writerows(found)
