"""Template fitting: the spectrum of the node grid that is nearest to a star, and the labels at which a spline through
the nodes comes nearest.

The misfit of template f to star x with weights w is least over the amplitude s at s = x.f / f.f, where it is

    chi2 = x.x - (x.f)^2 / f.f,      a.b = sum over pixels of w a b,

so that x.f and f.f are all that is needed, of all nodes at once two matrix products. The labels are then refined by
Levenberg's and Marquardt's method on that chi2 (variable projection: Golub & Pereyra 1973, SIAM J. Numer. Anal. 10,
413, with Kaufman's approximation of its Hessian), inside the box of the lattice.

Templates are sums of a few directions b (`templates`): f = c.b, so that x.f = c.(x.b) and f.f = c.(b.b).c, and stars
and products of directions are summed over pixels once. Noise in other directions moves all chi2 alike.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from repro.errors import DataError, ParameterError
from repro.labels import LABELS
from repro.models.protocol import Array
from repro.models.templates import Templates
from repro.spectra.lattice import Lattice
from repro.training.spectra import Validation
from repro.training.state import read_state, write_state

KIND: Final = "template model"
CURVES: Final = 12  # of weights, which all stars' weights are sums of: they keep them to 0.2 per cent rms
UNLIKE: Final = 0.1  # share of a star's weights, rms, that these may miss

_STARS: Final = {"cpu": 256, "cuda": 4096}  # fitted together: each needs 0.2 MB
_AT_ONCE: Final = {"cpu": 64, "cuda": 4096}  # templates: what these need stays in the cache of a processor
_STEPS: Final = 40  # at most; stars at noise level 1 need five, three in a hundred more than 20
_ROUNDING: Final = 1e-13  # of x.x: chi2 is known no better
_SETTLED: Final = 1e-2  # of chi2 over the pixels: a step that is expected to gain less is the last


@dataclass(frozen=True)
class _Stars:
    """What the fit needs of n stars: their products with directions, (n, r), and of these, (n, r, r); x.x, (n,)."""

    cross: Tensor
    gram: Tensor
    square: Tensor


@dataclass
class _Moments:
    """Scalar products of the template and its five derivatives, (n, 6, 6), and of each with the star, (n, 6)."""

    inner: Tensor
    cross: Tensor
    chi2: Tensor

    @classmethod
    def at(cls, templates: Templates, labels: Tensor, stars: _Stars, rows: Tensor) -> "_Moments":
        """Of the stars `rows` (n,) at labels (n, 5)."""
        inner, cross = labels.new_empty(len(labels), 6, 6), labels.new_empty(len(labels), 6)
        for part in _portions(len(labels), _AT_ONCE[templates.device.type]):
            vectors = templates.at(labels[part]).double()
            inner[part] = vectors @ stars.gram[rows[part]] @ vectors.mT
            cross[part] = (vectors @ stars.cross[rows[part], :, None])[..., 0]
        return cls(inner, cross, stars.square[rows] - cross[:, 0].clamp(min=0) ** 2 / inner[:, 0, 0])

    def equations(self) -> tuple[Tensor, Tensor]:
        """Half the Hessian (n, 5, 5) and half the descent (n, 5) of chi2, the amplitude profiled."""
        amplitude = self.cross[:, 0] / self.inner[:, 0, 0]
        tilt = self.inner[:, 0, 1:] / self.inner[:, 0, :1]
        hessian = self.inner[:, 1:, 1:] - self.inner[:, 0, 1:, None] * tilt[:, None]
        descent = amplitude[:, None] * (self.cross[:, 1:] - amplitude[:, None] * self.inner[:, 0, 1:])
        return amplitude[:, None, None] ** 2 * hessian, descent

    def take(self, rows: Tensor, other: "_Moments", chosen: Tensor) -> None:
        """At `rows` take over the chosen ones of another set."""
        for mine, theirs in ((self.inner, other.inner), (self.cross, other.cross), (self.chi2, other.chi2)):
            mine[rows] = theirs[chosen]

    def part(self, rows: Tensor) -> "_Moments":
        return _Moments(self.inner[rows], self.cross[rows], self.chi2[rows])


class Template:
    """Least squares over the templates of a node grid.

    Args:
        templates: of the grid.
        weights: `error`: inverse variance of each star's own errors; `mean`: one curve for all stars, the mean of the
            validation stars' inverse variances, each over its mean.
    """

    def __init__(self, templates: Templates, weights: Literal["error", "mean"] = "error") -> None:
        if weights not in ("error", "mean"):
            raise ParameterError(f"template: weights must be error or mean, not {weights!r}")
        self.weights = weights
        self.uses_error = weights == "error"
        self._templates = templates
        self._curves = torch.zeros(0, 0)

    def fit(self, flux: Array, y: Array, *, error: Array | None = None, validation: Validation | None = None) -> Self:
        """Learn from the errors of the validation stars how weights run with wavelength, and nothing else.

        Args:
            flux, y, error: not used.
            validation: with errors; where all are 0, all pixels weigh the same.

        Raises:
            ParameterError: no validation errors.
            DataError: errors that are not positive, or of another number of pixels.
        """
        if validation is None or validation.error is None:
            raise ParameterError("template: validation data with errors are needed, by which pixels are weighted")
        weights = self._weights(validation.error)
        curves = weights.mean(dim=0, keepdim=True)
        if self.uses_error:  # orthonormal: a star's weights are projected on them
            curves = torch.linalg.svd(weights, full_matrices=False)[2][:CURVES]
        self._use(curves)
        return self

    def predict(self, flux: Array, *, error: Array | None = None) -> NDArray[np.float64]:
        """log g [dex], (n,). Arguments and errors as `labels`."""
        return self.labels(flux, error=error)[:, LABELS.index("log_g")]

    def labels(self, flux: Array, *, error: Array | None = None) -> NDArray[np.float64]:
        """All five labels, (n, 5), of noisy flux (n, P).

        Args:
            error: (n, P) 1-sigma, for weights `error`; a star of which all are 0 has the same weight in all pixels.

        Raises:
            DataError: the model was not fitted; shapes that do not fit; values that are not finite; errors that are
                not positive, or unlike all those of the validation stars.
        """
        if not self._curves.numel():
            raise DataError("template: not fitted")
        if flux.ndim != 2 or flux.shape[1] != self._curves.shape[1] or not np.isfinite(flux).all():
            raise DataError(
                f"template: flux must be finite, {self._curves.shape[1]} pixels a star; its shape is {flux.shape}"
            )
        if self.uses_error and (error is None or error.shape != flux.shape):
            raise DataError("template: weights 'error' need the error of every pixel")
        found = [np.zeros((0, len(LABELS)))]
        for rows in _portions(len(flux), _STARS[self._templates.device.type]):
            stars, start = self._screened(flux, error, rows)
            best = refined(self._templates, start, stars) if self._templates.continuous else start
            found.append(best.cpu().numpy())
        return np.concatenate(found)

    def save(self, path: str | Path) -> None:
        """Write templates and curves of weights as npz; the same model gives the same bytes.

        Raises:
            DataError: the model was not fitted, or the disk is full.
        """
        if not self._curves.numel():
            raise DataError("template: not fitted, there is nothing to save")
        lattice = self._templates.lattice
        arrays = {"basis": self._templates.basis, "nodes": self._templates.nodes, "curves": self._curves}
        about = {"kind": KIND, "weights": self.weights, "axes": dict(lattice.axes), "missing": lattice.missing}
        write_state(path, {name: values.cpu().numpy() for name, values in arrays.items()}, about)

    @classmethod
    def load(cls, path: str | Path, device: str | torch.device = "cpu") -> "Template":
        """Read a model for prediction. Raises DataError where the file is none."""
        arrays, about = read_state(path, KIND)
        lattice = Lattice({name: tuple(nodes) for name, nodes in about["axes"].items()}, tuple(about["missing"]))
        model = cls(Templates(lattice, arrays["basis"], arrays["nodes"], device), about["weights"])
        model._use(torch.from_numpy(arrays["curves"]).to(model._templates.device))
        return model

    def _use(self, curves: Tensor) -> None:
        """Prepare products with these curves of weights, (k, P)."""
        basis, nodes = self._templates.basis, self._templates.nodes
        self._curves = curves
        self._grams = torch.stack([(basis * curve) @ basis.T for curve in curves])
        self._norms = torch.stack([((nodes @ gram.float()) * nodes).sum(dim=1) for gram in self._grams], dim=1)

    def _screened(self, flux: Array, error: Array | None, rows: slice) -> tuple[_Stars, Tensor]:
        """Stars of some rows, and the labels of the nodes nearest to them, (n, 5)."""
        templates = self._templates
        x = torch.from_numpy(np.ascontiguousarray(flux[rows], dtype=np.float64)).to(templates.device)
        shares = torch.ones(len(x), 1, dtype=torch.float64, device=templates.device)
        if self.uses_error and error is not None:
            weights = self._weights(error[rows], rows.start)
            shares = weights @ self._curves.T
            self._require_like(weights, shares, rows.start)
        weighted = x * (shares @ self._curves)
        cross = weighted @ templates.basis.T
        gram = (shares @ self._grams.flatten(1)).reshape(len(x), *self._grams.shape[1:])
        along = (cross.float() @ templates.nodes.T).clamp(min=0)
        nearest = (along**2 / (shares.float() @ self._norms.T)).argmax(dim=1)
        start = torch.from_numpy(templates.lattice.labels[nearest.cpu().numpy()]).to(templates.device)
        return _Stars(cross, gram, (weighted * x).sum(dim=1)), start

    def _weights(self, error: NDArray[np.floating[Any]], first: int = 0) -> Tensor:
        """Inverse variances (n, P) over the mean of each star; of errors that are all 0, all 1."""
        pixels = self._templates.basis.shape[1]
        if error.ndim != 2 or error.shape[1] != pixels:
            raise DataError(f"template: errors must have {pixels} pixels a star; their shape is {error.shape}")
        sigma = np.where(error.any(axis=1, keepdims=True), error, 1.0).astype(np.float64)
        bad = np.argwhere(~((sigma > 0) & np.isfinite(sigma)))
        if bad.size:
            row, pixel = bad[0]
            raise DataError(
                f"template: the error of star {first + row} in pixel {pixel} is {sigma[row, pixel]:g}; it must be "
                "positive and finite"
            )
        weights = torch.from_numpy(sigma).to(self._templates.device) ** -2
        return weights / weights.mean(dim=1, keepdim=True)

    def _require_like(self, weights: Tensor, shares: Tensor, first: int) -> None:
        missed = 1.0 - (shares**2).sum(dim=1) / (weights**2).sum(dim=1)
        bad = torch.nonzero(missed > UNLIKE**2)
        if len(bad):
            raise DataError(
                f"template: the errors of star {first + int(bad[0])} run with wavelength as no sum of those of the "
                "validation stars does; fit with validation stars observed alike"
            )


def refined(templates: Templates, start: Tensor, stars: _Stars) -> Tensor:
    """Labels (n, 5) of the least chi2 that is reached downhill from labels `start` (n, 5)."""
    labels = start.clone()
    active = torch.arange(len(labels), device=labels.device)
    now = _Moments.at(templates, labels, stars, active)
    damping = torch.full_like(stars.square, 1e-2)
    for _ in range(_STEPS):
        here = now.part(active)
        step, gain = _step(here, labels[active], damping[active], templates)
        going = gain > _SETTLED * here.chi2 / templates.basis.shape[1] + _ROUNDING * stars.square[active]
        trial = (labels[active] + step).clamp(templates.low, templates.high)
        labels[active[~going]] = trial[~going]
        active, trial = active[going], trial[going]
        if not len(active):
            break
        there = _Moments.at(templates, trial, stars, active)
        better = there.chi2 < now.chi2[active]
        labels[active[better]] = trial[better]
        now.take(active[better], there, better)
        damping[active] = (damping[active] * torch.where(better, 0.1, 10.0).double()).clamp(min=1e-6)
    return labels


def _step(here: _Moments, labels: Tensor, damping: Tensor, templates: Templates) -> tuple[Tensor, Tensor]:
    """Step (n, 5) and what it should gain of chi2, (n,); a label on a bound that it would cross stays."""
    hessian, descent = here.equations()
    stuck = ((labels <= templates.low) & (descent <= 0)) | ((labels >= templates.high) & (descent >= 0))
    free = (~stuck).double()
    hessian = hessian * free[:, :, None] * free[:, None]
    diagonal = hessian.diagonal(dim1=1, dim2=2)
    scale = torch.where(diagonal > 0, diagonal, 1.0)
    damped = hessian + torch.diag_embed(damping[:, None] * scale + (diagonal <= 0).double())
    step = torch.linalg.solve(damped, descent * free)
    return step, (step * descent).sum(dim=1)


def _portions(count: int, size: int) -> Iterator[slice]:
    for first in range(0, count, size):
        yield slice(first, min(first + size, count))
