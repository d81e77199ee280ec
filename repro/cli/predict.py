"""`repro predict`: a trained model on spectra of the user."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from repro.errors import ParameterError

if TYPE_CHECKING:
    from repro.observed.apply import Estimate
    from repro.observed.domain import Home, Scored
    from repro.observed.show import Screen

_SHOWN = 50  # rows of the table on a terminal
_file = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("model", type=_file)
@click.argument("spectra", nargs=-1, required=True, type=_file)
@click.option("--frame", type=click.Choice(["air", "vacuum"]), help="Of the wavelengths, whatever the files say.")
@click.option(
    "--velocity", type=float, metavar="KM/S", help="Radial velocity c z of all stars, whatever the files say."
)
@click.option("--redshift", type=float, metavar="Z", help="The same as redshift.")
@click.option("--resolution", type=float, metavar="R", help="Resolving power of all spectra.")
@click.option("--allow-resolution", is_flag=True, help="Let spectra of too low a resolution through, with a warning.")
@click.option("--calm", default=2.0, show_default=True, help="Calm pixels of errors above so many medians; inf: none.")
@click.option("--noise-draws", default=0, metavar="N", help="Draw noise of the files' errors N times on top.")
@click.option("--seed", default=0, show_default=True, help="With --noise-draws: root of the draws.")
@click.option("--rows", metavar="A:B", help="Of files that hold several spectra: rows A to B - 1, counted from 0.")
@click.option("--noise", default=1.0, show_default=True, help="Level of the noise added to sets, which have none.")
@click.option("--reference", type=_file, metavar="SET", help="Spectra like the training ones: data/spectra/test.h5.")
@click.option("--truth", type=_file, metavar="CSV", help="Known labels: columns spectrum, log_g[, T_eff, M_H].")
@click.option("--csv", "csv_path", type=_file, metavar="FILE", help="Write all columns of all spectra.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
@click.option("--device", default="cpu", show_default=True, help="Where networks run: cpu, cuda, ...")
def command(model: Path, spectra: tuple[Path, ...], csv_path: Path | None, as_json: bool, **options: Any) -> None:
    """Estimate log g of the SPECTRA of your own with a trained MODEL.

    MODEL is a file below models/: a network (.safetensors), a linear model (.npz) or LightGBM's trees (.txt). SPECTRA
    are FITS files (LAMOST's low-resolution spectra, tables with columns of wavelength and flux, and whatever specutils
    loads where it is installed), text of two or three columns, spectrum sets of the kit and HDF5 files of the author.

    \b
    repro predict models/trackA/MODEL.safetensors star.fits --velocity -23.5 --noise-draws 32
    repro predict MODEL spec-*.fits --reference data/spectra/test.h5 --csv estimates.csv
    repro predict MODEL spec-*.fits --reference data/spectra/test.h5 --truth known.csv

    Spectra are brought to vacuum, to rest, to the 4096 pixels of 7100-8850 A and to a median of 0.5, as the training
    sets are. Those that do not reach there (APOGEE's H band), have a resolving power below 4500 (LAMOST's 1800) or lack
    more than 2 % of the pixels are refused. Exit status 1: some were.

    \b
    ± noise     spread when noise of the file's errors is drawn once more: what photon noise does, and nothing else
    ± expected  root mean squared error of the reference stars of like SNR: what to expect of a star like those
    gap         RMSE on your stars over that to expect at their SNR; 1 on spectra like the training ones
    """
    from repro.models.stored import load_model
    from repro.observed.apply import Application, Redraws
    from repro.observed.domain import home
    from repro.observed.show import Screen, write_csv
    from repro.observed.show import as_json as json_text

    _check(options)
    stored = load_model(model, _device(options["device"]))
    at_home = home(stored.model, options["reference"], options["noise"]) if options["reference"] else None
    redraws = Redraws(options["noise_draws"], options["seed"])
    application = Application(stored, _wishes(options), redraws, at_home)
    estimates = list(application.files(spectra, _rows(options["rows"]), options["noise"]))
    stars = _known(estimates, options["truth"])
    if csv_path:
        write_csv(estimates, csv_path)
    if as_json:
        click.echo(json_text(estimates, _groups(stars, at_home), {"model": str(model), "kind": stored.kind}))
    else:
        screen = Screen()
        screen.estimates(estimates, _SHOWN)
        _explain(screen, stars, at_home)
    sys.exit(1 if any(one.refused for one in estimates) else 0)


def _check(options: dict[str, Any]) -> None:
    if options["velocity"] is not None and options["redshift"] is not None:
        raise click.UsageError("--velocity and --redshift say the same; give one of them")
    if options["noise_draws"] < 0 or options["noise_draws"] == 1:
        raise click.UsageError("--noise-draws needs at least 2 draws for a spread, 0 for none")
    if not 0.0 <= options["noise"] < 100.0:
        raise click.UsageError(f"--noise {options['noise']:g}: a noise level lies in 0 to 100")


def _wishes(options: dict[str, Any]) -> Any:
    from repro.observed.prepare import Wishes, redshift_of

    redshift = options["redshift"]
    if options["velocity"] is not None:
        redshift = redshift_of(options["velocity"])
    frame: Literal["air", "vacuum"] | None = options["frame"]
    return Wishes(frame, redshift, options["resolution"], options["allow_resolution"], options["calm"])


def _rows(text: str | None) -> slice:
    if text is None:
        return slice(None)
    first, colon, last = text.partition(":")
    try:
        start, stop = int(first or 0), int(last) if last else None
    except ValueError:
        start, stop, colon = -1, None, ""
    if not colon or start < 0 or (stop is not None and stop <= start):
        raise click.UsageError(f"--rows {text!r}: say A:B with 0 <= A < B, such as 0:100")
    return slice(start, stop)


def _device(name: str) -> str:
    import torch

    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError):
        raise ParameterError(f"device {name!r} is not there; this machine has cpu or see `repro doctor`") from None
    return name


def _known(estimates: list[Estimate], path: Path | None) -> Scored | None:
    from repro.observed.gap import own_truth, read_truth, with_truth

    return with_truth(estimates, read_truth(path)) if path else own_truth(estimates)


def _groups(stars: Scored | None, at_home: Home | None) -> list[Any]:
    from repro.observed.gap import gap

    return [] if stars is None else gap(stars, at_home.stars if at_home else None)


def _explain(screen: Screen, stars: Scored | None, at_home: Home | None) -> None:
    from repro.observed.gap import gap, outside

    if stars is None:
        return
    reference = None if at_home is None else gap(at_home.stars, at_home.stars)[0]
    screen.say("\nDomain gap: estimates against known gravities [dex]")
    screen.groups(_groups(stars, at_home), reference)
    for line in outside(stars):
        screen.say(line)
    if at_home is None:
        screen.say("Without --reference there is nothing to compare with: no gap.")
