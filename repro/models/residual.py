"""Perceptron beside a linear shortcut: y = ridge(x) + g(x), where g learns what ridge regression leaves.

What ridge leaves of spectra that it learnt from is less than what it leaves of others, so that a network which is
taught with those residuals is taught the wrong ones. Here the training spectra are divided into folds, and g is taught
with the estimates of the ridge regression that did not see the fold of a spectrum (cross-fitting: Chernozhukov et al.
2018, Econometrics Journal 21, C1). The published networks learnt from residuals of the one regression of all spectra:
`Shortcut.in_sample`.

Presentation 0 is what ridge learns from; g sees other noise at every presentation, and beside it the linear estimate
from that same noisy flux, so that ridge(x) + g(x) is the estimate whose error is minimised.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from repro.errors import DataError, ParameterError
from repro.models.mlp import Mlp, MlpNetwork
from repro.models.moments import Gram, Moments, moments
from repro.models.protocol import Array
from repro.models.ridge import ALPHAS, ridge_path
from repro.training.loop import Recipe
from repro.training.spectra import ROWS, Source, Validation, as_source

FOLDS: Final = 5

Float64 = NDArray[np.float64]


@dataclass(frozen=True)
class Shortcut:
    """Ridge regression of training spectra, and what estimates each of them while a network learns from it.

    Attributes:
        coefficients: of the regression of all spectra, (P,), label units per unit of flux.
        intercept: its intercept.
        alpha: penalty of every regression, chosen by validation.
        fold: of each training spectrum, (n,): consecutive ones, in parts as equal as can be.
        held_out: coefficients of the regressions that leave a fold out, (P, K).
        held_out_intercepts: (K,).
    """

    coefficients: Float64
    intercept: float
    alpha: float
    fold: NDArray[np.int64]
    held_out: Float64
    held_out_intercepts: Float64

    def in_sample(self) -> "Shortcut":
        """The same regression, which now estimates the spectra that it learnt from."""
        return replace(
            self,
            fold=np.zeros_like(self.fold),
            held_out=self.coefficients[:, None],
            held_out_intercepts=np.array([self.intercept]),
        )


def shortcut(
    flux: Array | Source,
    y: Array,
    validation: Validation,
    *,
    folds: int = FOLDS,
    alphas: Sequence[float] = ALPHAS,
    device: str | torch.device = "cpu",
) -> Shortcut:
    """Fit ridge to presentation 0 of noisy flux (n, P) with labels y (n,), as a whole and without each fold.

    Raises:
        ParameterError: fewer than two folds, or more than spectra.
        DataError: as `moments`.
    """
    source = as_source(flux, device)
    count = source.shape[0]
    if not 2 <= folds <= count:
        raise ParameterError(f"residual mlp: {folds} folds of {count} spectra; there must be 2 to {count}")
    fold = np.arange(count, dtype=np.int64) * folds // count
    whole = moments(source, y)
    path = ridge_path(replace(whole), alphas)  # a copy, with which its factorisation is dropped
    best = path[int(np.argmax(path.r2(validation)))]
    alpha = float(best.facts["alpha"][0])
    without = _without_few if whole.rows is not None else _without_many
    found = [without(source, y, whole, np.flatnonzero(fold == number), alpha) for number in range(folds)]
    columns = torch.stack([coefficients for coefficients, _ in found], dim=1).cpu().numpy()
    intercepts = np.array([intercept for _, intercept in found])
    return Shortcut(best.coefficients[:, 0], float(best.intercepts[0]), alpha, fold, columns, intercepts)


def _without_many(
    source: Source, y: Array, whole: Moments, rows: NDArray[np.intp], alpha: float
) -> tuple[Tensor, float]:
    """Coefficients (P,) and intercept without consecutive rows, of more spectra than pixels: X'X less their part."""
    gram = Gram(source.shape[1], whole.center.device)
    right, shift, offset, kept = whole.right.clone(), torch.zeros_like(whole.center), 0.0, whole.count - len(rows)
    for first in range(0, len(rows), ROWS):
        part = rows[first : first + ROWS]
        x = source.block(torch.from_numpy(part), 0).double() - whole.center
        rest = torch.as_tensor(np.asarray(y, dtype=np.float64)[part] - whole.offset, device=x.device)
        gram.add(x)
        right -= rest @ x
        shift -= x.sum(dim=0) / kept  # of the mean of those that stay
        offset -= float(rest.sum()) / kept
    matrix = gram.symmetric().neg_().add_(whole.matrix).addr_(shift, shift, alpha=-kept)
    matrix.diagonal().add_(alpha)
    right -= kept * offset * shift
    coefficients = torch.cholesky_solve(right[:, None], torch.linalg.cholesky(matrix))[:, 0]
    return coefficients, whole.offset + offset - float((whole.center + shift) @ coefficients)


def _without_few(
    _source: Source, _y: Array, whole: Moments, rows: NDArray[np.intp], alpha: float
) -> tuple[Tensor, float]:
    """The same of fewer spectra than pixels, through XX' of those that stay."""
    assert whole.rows is not None
    stay = np.setdiff1d(np.arange(whole.count), rows)
    matrix = whole.matrix[stay][:, stay]
    matrix.diagonal().add_(alpha)
    # an intercept without penalty: dual weights that sum to zero
    right = torch.stack((whole.right[stay], torch.ones_like(whole.right[stay])), dim=1)
    solved = torch.cholesky_solve(right, torch.linalg.cholesky(matrix))
    offset = solved[:, 0].sum() / solved[:, 1].sum()
    coefficients = whole.rows[stay].T @ (solved[:, 0] - offset * solved[:, 1])
    return coefficients, whole.offset + float(offset - whole.center @ coefficients)


@dataclass(frozen=True)
class _Beside:
    """Spectra of another source with their linear estimate as a last column, (b, P + 1)."""

    source: Source
    columns: Tensor  # (P, K) float64
    intercepts: Tensor  # (K,)
    fold: Tensor  # (n,)

    @property
    def shape(self) -> tuple[int, int]:
        return self.source.shape

    def block(self, rows: Tensor, epoch: int) -> Tensor:
        flux = self.source.block(rows, epoch)
        every = flux.double() @ self.columns + self.intercepts
        chosen = every.gather(1, self.fold[rows.to(flux.device)][:, None])
        return torch.cat((flux, chosen.float()), dim=1)


class ResidualNetwork(MlpNetwork):
    """Linear estimate plus what a perceptron makes of the flux; in training the estimate comes beside the flux."""

    def __init__(self, mean: Tensor, *shape: Any) -> None:
        super().__init__(mean, *shape)
        self.linear: Tensor
        self.intercept: Tensor
        self.register_buffer("linear", torch.zeros(len(mean), dtype=torch.float64))  # (P,) standardised label
        self.register_buffer("intercept", torch.zeros((), dtype=torch.float64))

    def forward(self, flux: Tensor) -> Tensor:  #                                     (b, P), or (b, P + 1)
        if self.training:
            return flux[:, -1] + super().forward(flux[:, :-1])
        return (flux.double() @ self.linear + self.intercept).float() + super().forward(flux)


class ResidualMlp(Mlp):
    """A perceptron that learns what ridge regression leaves.

    Args:
        recipe: how the perceptron is trained.
        linear: the regressions, fitted to presentation 0 of the spectra to come; by default `fit` fits them.
        others: of `Mlp`.

    Attributes:
        linear: the regressions.
    """

    kind: ClassVar[str] = "residual mlp model"

    def __init__(self, recipe: Recipe | None = None, *, linear: Shortcut | None = None, **others: Any) -> None:
        super().__init__(recipe, **others)
        self.linear = linear

    def _prepared(self, source: Source, y: Array, validation: Validation) -> Source:
        linear = self.linear or shortcut(source, y, validation, device=self.device)
        learnt = (len(linear.fold), len(linear.coefficients))
        if learnt != source.shape:
            raise DataError(
                f"{self.name}: ridge learnt from spectra of shape {learnt}, the network is to learn from {source.shape}"
            )
        self.linear = linear
        given = (linear.held_out / self._unit, (linear.held_out_intercepts - self._offset) / self._unit, linear.fold)
        return _Beside(source, *(torch.from_numpy(values).to(self.device) for values in given))

    def _made(self, mean: Tensor, scale: Tensor) -> nn.Module:
        network = ResidualNetwork(mean, scale, self.widths, self.activation, self.dropout)
        if self.linear is not None:
            network.linear = torch.from_numpy(self.linear.coefficients / self._unit)
            network.intercept = torch.tensor((self.linear.intercept - self._offset) / self._unit, dtype=torch.float64)
        return network
