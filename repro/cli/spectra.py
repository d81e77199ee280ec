"""`repro spectra`: look at spectra, and at what sets two of them apart."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from repro.errors import ParameterError
from repro.labels import LABELS

if TYPE_CHECKING:
    from repro.plots.spectra_sheet import Sheet

_GRAMMAR = """
\b
A spectrum is named by one of
  lte:T_eff=4750,log_g=2,M_H=-1        a source at any labels (a_M, C_M: 0 unless given)
  bosz:T_eff=5000,log_g=3,M_H=0        a fetched node of BOSZ, release 2017 (bosz2024: 2024)
  NODES.h5:T_eff=5000,log_g=3,M_H=0    a node of a node grid, or of the pinned pack
  SET.h5#12                            a row of a spectrum set, counted from 0
  FILE, FILE:air, FILE:vacuum          text, CSV or FITS with wavelength [A] and flux;
                                       in vacuum unless FILE or :air says otherwise
"""

_COMMON = [
    click.option("-o", "--out", type=click.Path(dir_okay=False, path_type=Path), help="Picture: .png or .html."),
    click.option("--absolute", "scale", flag_value="absolute", help="Show fluxes as they are, not divided by medians."),
    click.option("--continuum", "scale", flag_value="continuum", help="Divide by the continuum instead."),
    click.option(
        "--derivative",
        "derivatives",
        type=click.Choice([*LABELS, "none"]),
        multiple=True,
        default=["log_g"],
        show_default=True,
        help="Label to show dF/dlabel for; may be repeated.",
    ),
    click.option("--from", "low", type=float, help="First wavelength [A]."),
    click.option("--to", "high", type=float, help="Last wavelength [A]."),
    click.option("--air", "in_air", is_flag=True, help="Wavelengths in air: the axis, --from and --to."),
    click.option(
        "--resolution",
        default="pfs",
        show_default=True,
        help="Of sources: pfs (instrument applied), native, or a resolving power.",
    ),
    click.option("--microturbulence", default=2.0, show_default=True, help="[km/s], of source lte."),
]


def _common(function: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(_COMMON):
        function = option(function)
    return function


@click.group(epilog=_GRAMMAR)
def command() -> None:
    """Show spectra of nodes, sets, sources and files, or compare two of them."""


@command.command(epilog=_GRAMMAR)
@click.argument("what", nargs=-1, required=True)
@_common
@click.option("--noise", type=float, help="Also draw rows of sets once with this noise level (1: as published).")
def show(what: tuple[str, ...], out: Path | None, noise: float | None, **options: Any) -> None:
    """Draw spectra over each other, and their derivatives.

    \b
    Example: repro spectra show data/spectra/test.h5#12 lte:T_eff=5000,log_g=2,M_H=-1 -o two.png
    """
    from repro.plots.spectra_sheet import sheet
    from repro.view.compose import Wish, views

    if out is None:
        raise ParameterError("say with -o where the picture goes, such as -o spectra.png or -o spectra.html")
    wish = Wish.of(noise=noise, **options)
    draw = _drawer(out)
    shown, extra = views(what, wish)
    _report(draw(sheet(shown, wish.derivatives, in_air=wish.in_air, extra=extra), out))


@command.command(epilog=_GRAMMAR)
@click.argument("a")
@click.argument("b")
@_common
@click.option("--json", "as_json", is_flag=True, help="Print the numbers of the comparison, by window.")
def compare(a: str, b: str, out: Path | None, as_json: bool, **options: Any) -> None:
    """Draw spectra A and B, the residual (B - A) / A in percent, and the derivatives of both.

    Both are brought onto the pixels of the coarser one. Where one derivative is a difference between nodes, that of a
    source is taken over the same step.

    \b
    Example: repro spectra compare data/nodes_3d.h5:T_eff=5000,log_g=3,M_H=0 bosz:T_eff=5000,log_g=3,M_H=0 -o c.html
    """
    from repro.plots.spectra_sheet import comparison_sheet
    from repro.view.comparison import compare as numbers
    from repro.view.compose import Wish, pair

    if out is None and not as_json:
        raise ParameterError("say with -o where the picture goes, such as -o spectra.png, or ask for --json")
    wish = Wish.of(**options)
    draw = _drawer(out) if out else None
    one, other, extra = pair(a, b, wish)
    found = numbers(one, other)
    if draw and out:
        _report(draw(comparison_sheet(one, other, wish.derivatives, found, in_air=wish.in_air, extra=extra), out))
    if as_json:
        click.echo(json.dumps({"A": one.name, "B": other.name, "windows": _plain(found)}, indent=2))


def _drawer(out: Path) -> Callable[["Sheet", Path], Path]:
    """The function that writes files with this ending. Raises ParameterError where there is none."""
    if out.suffix.lower() == ".png":
        from repro.plots.spectra import draw

        return draw
    if out.suffix.lower() in (".html", ".htm"):
        from repro.plots.spectra_page import draw as page

        return page
    raise ParameterError(f"{out}: pictures end in .png (a figure) or .html (a page to zoom in)")


def _report(path: Path) -> None:
    click.echo(f"{path}: {path.stat().st_size / 1e6:.2f} MB", err=True)


def _plain(value: Any) -> Any:
    """The value with None in place of what JSON has no word for."""
    if isinstance(value, dict):
        return {name: _plain(entry) for name, entry in value.items()}
    return None if isinstance(value, float) and value != value else value
