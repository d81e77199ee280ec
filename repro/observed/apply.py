"""A stored model on files of spectra."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from repro.errors import DataError
from repro.labels import BOX
from repro.models.protocol import predict as shown
from repro.models.stored import Stored
from repro.observed.domain import PUBLISHED_SNR, Home
from repro.observed.prepare import Prepared, Wishes, prepare
from repro.observed.readers import read
from repro.observed.spectrum import Observed
from repro.spectra.noise import standard_normal

TOGETHER: Final = 256  # spectra that are estimated at once: 4 MB of flux
_EDGE: Final = 0.1  # [dex] from the ends of the box

Float64 = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """What a model makes of one spectrum, or why it was refused.

    Attributes:
        name: file, with the row where it holds several.
        log_g: [dex].
        spread: standard deviation of the estimates when noise of the stored error is drawn once more on top [dex]: how
            photon noise alone moves the estimate. It knows nothing of the model's own error.
        shift: mean of those estimates less `log_g` [dex]: how more noise pulls the estimate.
        expected: root mean squared error of reference stars of like SNR [dex].
        misfit: chi2 per degree of freedom against the reference set's spectra.
        snr, coverage, calmed, warnings: of the prepared spectrum.
        labels: of the star, as far as its file knows them.
        refused: the reason, instead of all numbers.
    """

    name: str
    log_g: float = float("nan")
    spread: float = float("nan")
    shift: float = float("nan")
    expected: float = float("nan")
    misfit: float = float("nan")
    snr: float = float("nan")
    coverage: float = float("nan")
    calmed: float = float("nan")
    warnings: tuple[str, ...] = ()
    labels: Mapping[str, float] = field(default_factory=dict)
    refused: str | None = None


@dataclass(frozen=True)
class Redraws:
    """How often, and from which seed, noise is drawn once more."""

    count: int = 0
    seed: int = 0


class Application:
    """Applies a model to spectra.

    Args:
        stored: the model.
        wishes: what the user knows better than the files.
        redraws: of noise, for the spread.
        home: what a reference set says.
    """

    def __init__(
        self, stored: Stored, wishes: Wishes | None = None, redraws: Redraws | None = None, home: Home | None = None
    ) -> None:
        self._stored, self._wishes, self._redraws = stored, wishes or Wishes(), redraws or Redraws()
        self._home = home
        self._count = 0  # of spectra that were drawn for

    def files(self, paths: Sequence[str | Path], rows: slice = slice(None), noise: float = 1.0) -> Iterator[Estimate]:
        """Estimates of all spectra of files, in order; a file or spectrum that is refused says why, others go on.

        Args:
            rows, noise: see `readers.read`.
        """
        waiting: list[Estimate | _Star] = []
        for path in paths:
            for one in _spectra(path, rows, noise):
                waiting.append(one if isinstance(one, Estimate) else self._prepared(one))
                if len(waiting) == TOGETHER:
                    yield from self._estimates(waiting)
                    waiting = []
        yield from self._estimates(waiting)

    def _prepared(self, one: Observed) -> "Estimate | _Star":
        try:
            seen = prepare(one, self._wishes, self._stored.missing, self._stored.mean)
        except DataError as error:
            return _refusal(one.name, error)
        return _Star(one.name, one.labels, seen)  # without the samples of the file, which may be many

    def _estimates(self, waiting: "list[Estimate | _Star]") -> Iterator[Estimate]:
        stars = [one for one in waiting if isinstance(one, _Star)]
        found = iter(zip(*self._numbers([star.seen for star in stars]), strict=True) if stars else ())
        for one in waiting:
            yield self._judged(one, *next(found)) if isinstance(one, _Star) else one

    def _numbers(self, stars: list[Prepared]) -> tuple[list[float], list[float], list[float]]:
        """log g, spread and shift of prepared spectra."""
        flux = np.stack([star.flux for star in stars])
        error = np.stack([np.zeros_like(star.flux) if star.error is None else star.error for star in stars])
        model = self._stored.model
        log_g = shown(model, flux, error)
        first, self._count = self._count, self._count + len(stars)
        if self._redraws.count < 2:
            none = [float("nan")] * len(stars)
            return log_g.tolist(), none, none
        draws = np.empty((self._redraws.count, len(stars)))
        for draw in range(len(draws)):
            eps = standard_normal(self._redraws.seed, "test", 1 + draw, range(first, self._count), flux.shape[1])
            draws[draw] = shown(model, (torch.from_numpy(flux) + torch.from_numpy(error) * eps).numpy(), error)
        known = np.array([star.error is not None for star in stars])
        spread = np.where(known, draws.std(axis=0, ddof=1), np.nan)
        return log_g.tolist(), spread.tolist(), np.where(known, draws.mean(axis=0) - log_g, np.nan).tolist()

    def _judged(self, one: "_Star", log_g: float, spread: float, shift: float) -> Estimate:
        star = one.seen
        low, high = self._home.snr if self._home else PUBLISHED_SNR
        warnings = list(star.warnings)
        if not np.isnan(star.snr) and not low <= star.snr <= high:
            whose = "reference" if self._home else "published test"
            warnings.append(f"SNR {star.snr:.1f} outside that of the {whose} stars, {low:.1f} to {high:.1f}")
        bottom, top = BOX["log_g"]
        if not bottom + _EDGE <= log_g <= top - _EDGE:
            warnings.append(f"at the edge of the labels that the model knows ({bottom:g} to {top:g})")
        expected = misfit = float("nan")
        if self._home:
            expected, misfit = self._home.expected(star.snr), self._home.misfit(star)
            if misfit > self._home.limit:
                limit = f"99.5 % of theirs are below {self._home.limit:.2f}"
                warnings.append(f"unlike the reference spectra: misfit {misfit:.2f}, {limit}")
        return Estimate(
            name=one.name,
            log_g=log_g,
            spread=spread,
            shift=shift,
            expected=expected,
            misfit=misfit,
            snr=star.snr,
            coverage=star.coverage,
            calmed=star.calmed,
            warnings=tuple(warnings),
            labels=one.labels,
        )


@dataclass(frozen=True)
class _Star:
    """A spectrum that waits for its estimate."""

    name: str
    labels: Mapping[str, float]
    seen: Prepared


def as_record(estimate: Estimate) -> dict[str, Any]:
    """An estimate as JSON knows it: None where there is no number."""
    record = {
        name: getattr(estimate, name)
        for name in ("log_g", "spread", "shift", "expected", "misfit", "snr", "coverage", "calmed")
    }
    return {
        "spectrum": estimate.name,
        **{name: None if np.isnan(value) else float(value) for name, value in record.items()},
        "warnings": list(estimate.warnings),
        "refused": estimate.refused,
    }


def _spectra(path: str | Path, rows: slice, noise: float) -> Iterator[Observed | Estimate]:
    try:
        yield from read(path, rows, noise)
    except DataError as error:
        yield _refusal(str(path), error)


def _refusal(name: str, error: DataError) -> Estimate:
    text = str(error)
    return Estimate(name, refused=text if text.startswith(name) else f"{name}: {text}")
