"""Figures of every comparison with spectra and lines of others.

    REPRO_VALIDATION_DIR=<folder> python -m benchmarks.figures --out FOLDER [--only NAME ...]

They show data that are not ours to give away: look at them, never commit them.
"""

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.accuracy import Comparison, bosz_spectra, residual_shares, scores
from benchmarks.comparisons import (
    PFS_EXAMPLES,
    TURBOSPECTRUM_STARS,
    Spectrum,
    calcium_widths,
    cn_lines,
    pfs_fit,
    turbospectrum_pair,
)
from repro.labels import LABELS
from repro.plots.spectra_sheet import placed
from repro.plots.style import BLUE, GREEN, GREY, ORANGE, save, style
from repro.view.identifications import marks

_STAR_NAMES: Final = {"sun": "Sun", "g5000": "5000 K / 3.0 / 0", "arc": "Arcturus-like"}


def bosz_residual(folder: Path, path: Path) -> Path:
    """Mean spectrum, mean and scatter of the residual, and where its variance lies."""
    found = bosz_spectra(folder)
    residual, numbers = found.residual(), scores(found)
    figure = Figure(figsize=(13.0, 9.5), layout="constrained")
    names, spectrum, below, bars = figure.subplots(4, 1, height_ratios=(0.6, 2.6, 2.2, 2.6))
    for axes in (names, below):
        axes.sharex(spectrum)
    _identify(names, (spectrum, below), found.wave[0], found.wave[-1])
    spectrum.plot(found.wave, found.data.mean(axis=0), color=BLUE, lw=0.9, label="BOSZ 2017, mean of 30")
    spectrum.plot(found.wave, found.model.mean(axis=0), color=ORANGE, lw=0.9, label="model")
    spectrum.set(
        ylabel="flux / median",
        title=f"rms {numbers['rms']:.2%}, explained variance {numbers['explained variance']:.2%}",
    )
    spectrum.legend(loc="lower left")
    low, high = 100.0 * np.percentile(residual, (10, 90), axis=0)
    below.fill_between(found.wave, low, high, color=GREY, alpha=0.3, lw=0, label="10th to 90th percentile of the stars")
    below.plot(found.wave, 100.0 * residual.mean(axis=0), color="black", lw=0.8, label="mean")
    below.set(ylabel="model − data  [% of median]", xlabel="vacuum wavelength [Å]")
    below.legend(loc="lower left", ncols=2)
    shares = dict(sorted(residual_shares(found.wave, residual).items(), key=lambda item: item[1][0]))
    bars.barh(
        range(len(shares)), [100.0 * share for share, _, _ in shares.values()], color=BLUE, label="of the variance"
    )
    bars.plot(
        [100.0 * pixels for _, pixels, _ in shares.values()],
        range(len(shares)),
        "D",
        color=ORANGE,
        label="of the pixels",
    )
    for row, (share, _, _) in enumerate(shares.values()):
        bars.annotate(
            f"{share:.1%}", (100.0 * share, row), (4, 0), textcoords="offset points", va="center", fontsize=7.5
        )
    bars.set_yticks(range(len(shares)), shares, fontsize=7.5)
    bars.margins(x=0.08)
    bars.set(xlabel="share of the whole  [%]", title="where the variance of the residual lies")
    bars.legend(loc="lower right")
    return save(figure, path)


def _responses(folder: Path, path: Path, label: str, step: float, unit: str) -> Path:
    """Mean response of data and model to one label over the pairs, the worst pair, and all pairs against each other."""
    found: Comparison = bosz_spectra(folder)
    data, model = found.responses(label, step)
    correlation = np.array([np.corrcoef(a, b)[0, 1] for a, b in zip(data, model, strict=True)])
    amplitude = (data * model).sum(axis=1) / (data**2).sum(axis=1)
    worst = int(correlation.argmin())
    figure = Figure(figsize=(13.0, 8.5), layout="constrained")
    names, mean, single, off = figure.subplots(4, 1, sharex=True, height_ratios=(0.6, 2.4, 2.4, 2.0))
    _identify(names, (mean, single, off), found.wave[0], found.wave[-1])
    for axes, rows, what, pair in (
        (mean, slice(None), f"mean of {len(data)} pairs {step:g} {unit} apart", slice(None)),
        (single, slice(worst, worst + 1), "worst pair", worst),
    ):
        axes.plot(found.wave, 100.0 * data[rows].mean(axis=0), color=BLUE, lw=0.9, label="BOSZ 2017")
        axes.plot(found.wave, 100.0 * model[rows].mean(axis=0), color=ORANGE, lw=0.9, label="model")
        agreement = f"correlation {np.mean(correlation[pair]):.3f}, amplitude {np.mean(amplitude[pair]):.3f}"
        axes.set(ylabel=f"ΔF for {step:g} {unit}  [% of median]", title=f"{what}: {agreement}")
    mean.legend(loc="lower left")
    off.axhline(0.0, color=GREY, lw=0.6)
    off.plot(found.wave, 100.0 * (model - data).mean(axis=0), color="black", lw=0.8)
    off.set(ylabel="model − data, mean  [%]", xlabel="vacuum wavelength [Å]")
    return save(figure, path)


def bosz_dlogg(folder: Path, path: Path) -> Path:
    """Response to log g."""
    return _responses(folder, path, "log_g", 1.0, "dex")


def bosz_dteff(folder: Path, path: Path) -> Path:
    """Response to T_eff."""
    return _responses(folder, path, "T_eff", 500.0, "K")


def pfs(folder: Path, path: Path) -> Path:
    """Four noise-free examples of the original data set with five free labels, and the residuals."""
    fits = [pfs_fit(folder, index) for index in PFS_EXAMPLES]
    figure = Figure(figsize=(13.0, 13.0), layout="constrained")
    rows = figure.subplots(8, 1, sharex=True, height_ratios=(2.2, 1.0) * 4)
    for (spectrum, labels), top, bottom in zip(fits, rows[::2], rows[1::2], strict=True):
        said = ", ".join(
            f"{name} {value:.{0 if name == 'T_eff' else 2}f}" for name, value in zip(LABELS, labels, strict=True)
        )
        known = ", true log_g 2.0" if spectrum.name == "576" else ""
        _pair(
            top,
            bottom,
            spectrum,
            f"example {spectrum.name}: rms {spectrum.rms:.2%} of the median; {said}{known}",
            "original data set",
        )
        top.set_ylabel("flux / median")
    rows[-1].set_xlabel("vacuum wavelength [Å]")
    return save(figure, path)


def turbospectrum(folder: Path, path: Path) -> Path:
    """Three stars by Turbospectrum on MARCS models."""
    figure = Figure(figsize=(13.0, 10.0), layout="constrained")
    rows = figure.subplots(6, 1, sharex=True, height_ratios=(2.2, 1.0) * 3)
    for star, top, bottom in zip(TURBOSPECTRUM_STARS, rows[::2], rows[1::2], strict=True):
        spectrum = turbospectrum_pair(folder, star)
        scatter = float((spectrum.model - spectrum.data).std())
        _pair(
            top,
            bottom,
            spectrum,
            f"{_STAR_NAMES[star]}: rms {scatter:.2%}, R = 5300, no molecules on either side",
            "Turbospectrum",
        )
        top.set_ylabel("flux / continuum")
    rows[-1].set_xlabel("vacuum wavelength [Å]")
    return save(figure, path)


def stelib(folder: Path, path: Path) -> Path:
    """Equivalent widths of the Ca II triplet in 40 observed stars."""
    found = calcium_widths(folder)
    figure = Figure(figsize=(13.0, 5.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    for line, colour, name in zip(range(3), (BLUE, ORANGE, GREEN), ("8498", "8542", "8662"), strict=True):
        ratio = np.median(found.model[:, line] / found.observed[:, line])
        left.plot(
            found.observed[:, line],
            found.model[:, line],
            "o",
            ms=4,
            color=colour,
            label=f"{name}: median ratio {ratio:.3f}",
        )
    limit = 1.08 * max(found.observed.max(), found.model.max())
    left.plot([0, limit], [0, limit], color=GREY, lw=0.8)
    left.set(xlim=(0, limit), ylim=(0, limit), xlabel="observed equivalent width [Å]", ylabel="model [Å]")
    left.set_title(f"rank correlation of the sums {found.rank_correlation:.3f}, median ratio {found.median_ratio:.3f}")
    left.legend(loc="upper left")
    points = right.scatter(
        found.labels[:, 1],
        found.model.sum(axis=1) / found.observed.sum(axis=1),
        c=found.labels[:, 2],
        cmap="cividis",
        s=24,
    )
    right.axhspan(0.9, 1.1, color=GREY, alpha=0.15, lw=0)
    right.axhline(1.0, color=GREY, lw=0.8)
    right.set(
        xlabel="log g (literature)", ylabel="model / observed, sum of the three lines", title="grey: the target, ±10 %"
    )
    figure.colorbar(points, ax=right, label="[Fe/H] (literature)")
    return save(figure, path)


def cn(folder: Path, path: Path) -> Path:
    """Positions and strengths of CN lines."""
    found = cn_lines(folder)
    known = np.isfinite(found.off)
    figure = Figure(figsize=(13.0, 7.0), layout="constrained")
    (place, places), (gf, gfs) = figure.subplots(2, 2, width_ratios=(3.0, 1.0), sharey="row")
    for axes, histogram, values, limit, what in (
        (place, places, found.off, 0.05, "wavelength, ours − published  [Å]"),
        (gf, gfs, found.stronger, 0.1, "log gf, ours − published  [dex]"),
    ):
        shown = np.clip(values[known], -1.6 * limit, 1.6 * limit)
        axes.scatter(found.wave[known], shown, s=3.0 + 20.0 * found.strength[known], color=BLUE, alpha=0.4, lw=0)
        axes.axhspan(-limit, limit, color=GREY, alpha=0.15, lw=0)
        axes.set(ylabel=what, ylim=(-1.7 * limit, 1.7 * limit))
        histogram.hist(shown, bins=np.linspace(-1.7 * limit, 1.7 * limit, 69), orientation="horizontal", color=BLUE)
        histogram.set(
            xscale="log", title=f"median {np.median(values[known]):+.4f}, of |x| {np.median(np.abs(values[known])):.4f}"
        )
    place.set_title(
        f"{found.wave.size} lines above a tenth of the strongest at 4500 K: {found.matched:.1%} within the grey bands, "
        f"{np.count_nonzero(~known)} not found"
    )
    gf.set_xlabel("vacuum wavelength [Å]   (size: strength; what lies beyond the axes is drawn at their ends)")
    gfs.set_xlabel("lines")
    return save(figure, path)


FIGURES: Final[dict[str, Callable[[Path, Path], Path]]] = {
    "bosz_residual": bosz_residual,
    "bosz_dlogg": bosz_dlogg,
    "bosz_dteff": bosz_dteff,
    "pfs": pfs,
    "stelib": stelib,
    "cn": cn,
    "turbospectrum": turbospectrum,
}


def _pair(top: Axes, bottom: Axes, spectrum: Spectrum, title: str, name: str) -> None:
    top.plot(spectrum.wave, spectrum.data, color=BLUE, lw=0.8, label=name)
    top.plot(spectrum.wave, spectrum.model, color=ORANGE, lw=0.8, label="model")
    top.set_title(title)
    top.legend(loc="lower left", ncols=2)
    bottom.axhline(0.0, color=GREY, lw=0.6)
    bottom.plot(spectrum.wave, 100.0 * (spectrum.model - spectrum.data), color="black", lw=0.6)
    bottom.set_ylabel("model −\ndata [%]")
    top.set_xlim(spectrum.wave[0], spectrum.wave[-1])


def _identify(strip: Axes, rows: tuple[Axes, ...], low: float, high: float) -> None:
    """Names of lines in a strip above the panels."""
    strip.axis("off")
    strip.set(ylim=(0.0, 1.0), xlim=(low, high))
    for mark, place in placed(marks(low, high), low, high, 0.0115 * (high - low)):
        strip.plot([mark.wave, place], [0.0, 0.2], color=GREY, lw=0.5)
        strip.text(place, 0.25, mark.name, rotation=90, ha="center", va="bottom", fontsize=6.5)
        for axes in rows:
            axes.axvline(mark.wave, color=GREY, lw=0.4, alpha=0.35, zorder=0)


def main() -> None:
    """Draws the figures asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, help="folder of the figures, outside the repository")
    parser.add_argument("--only", nargs="+", choices=list(FIGURES), default=list(FIGURES))
    options = parser.parse_args()
    folder = os.environ.get("REPRO_VALIDATION_DIR")
    if not folder or not options.out:
        print("skipped: needs --out, and REPRO_VALIDATION_DIR, the folder of the published validation spectra")
        return
    options.out.mkdir(parents=True, exist_ok=True)
    for name in options.only:
        with style():
            print(FIGURES[name](Path(folder), options.out / f"{name}.png"), file=sys.stderr)


if __name__ == "__main__":
    main()
