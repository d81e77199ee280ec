"""Ridge regression from spectra to one label: one factorisation for all penalties, memory independent of N.

Minimises  sum_i w_i (y_i - b - x_i c)^2 + alpha |c|^2.  With centred, weighted X the solution is (X'X + alpha)^-1 X'y.
X'X (or XX' where there are fewer spectra than pixels) is brought to tridiagonal form T = Q'(X'X)Q once; every alpha
is then the solution of a tridiagonal system. Eigenvectors would serve as well and take twice the time of the same
reduction (Golub & Van Loan 2013, Matrix Computations, 8.3).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import blas, lapack, solve_banded
from torch import Tensor

from repro.errors import DataError, ParameterError
from repro.models.protocol import Array
from repro.training.spectra import Source, Validation, as_source, blocks
from repro.training.state import read_state, write_state

# quarter decades: beyond 1e-3 and 1e6 the validation score no longer changes at any published noise level
ALPHAS: Final = tuple(float(alpha) for alpha in 10.0 ** np.arange(-3.0, 6.1, 0.25))

KIND: Final = "ridge model"

_ROWS: Final = 1024  # spectra summed up together: 34 MB of float64

Float64 = NDArray[np.float64]


class Ridge:
    """Linear regression with a penalty chosen by validation R2.

    Args:
        alphas: penalties to choose among, in squared units of the flux (median 0.5) per spectrum of weight 1.
        device: where X'X is summed up; the factorisation is done by LAPACK on the processor.

    Attributes:
        coefficients: (P,), label units per unit of flux.
        intercept: in label units.
        alpha: the penalty chosen.
        scores: (A,) validation R2 of each penalty; empty where there was one penalty and no validation.

    Raises:
        ParameterError: no penalty, or one that is not positive and finite.
    """

    uses_error = False

    def __init__(self, alphas: Sequence[float] = ALPHAS, device: str | torch.device = "cpu") -> None:
        if not alphas or not all(np.isfinite(alpha) and alpha > 0 for alpha in alphas):
            raise ParameterError(f"ridge: penalties must be positive and finite, not {list(alphas)}")
        self.alphas = tuple(alphas)
        self.device = torch.device(device)
        self.coefficients: Float64 = np.zeros(0)
        self.intercept = self.alpha = float("nan")
        self.scores: Float64 = np.zeros(0)

    def fit(
        self,
        flux: Array | Source,
        y: Array,
        *,
        error: Array | None = None,
        validation: Validation | None = None,
        sample_weight: Array | None = None,
    ) -> Self:
        """Learn y (n,) from noisy flux (n, P), or from presentation 0 of a source of noisy flux.

        Args:
            error: not used.
            validation: spectra by which the penalty is chosen; needed where there are several.
            sample_weight: (n,) weights of the squared errors, not negative.

        Raises:
            DataError: shapes that do not fit, or values that are not finite.
            ParameterError: several penalties and no validation.
        """
        source = as_source(flux, self.device)
        target, weight = _checked(source, y, sample_weight)
        if validation is None and len(self.alphas) > 1:
            raise ParameterError("ridge: several penalties need validation data to choose by")
        mean, offset = _means(source, target, weight)
        solve = _primal if source.shape[0] >= source.shape[1] else _dual
        path = solve(source, target - offset, weight, mean, self.alphas)
        intercepts = offset - mean.cpu().numpy() @ path
        best = 0
        if validation is not None:
            estimates = _product(validation.flux, path) + intercepts
            truth = np.asarray(validation.y, dtype=np.float64)[:, None]
            self.scores = 1.0 - np.mean((estimates - truth) ** 2, axis=0) / np.var(truth)
            best = int(np.argmax(self.scores))
        self.alpha, self.intercept = self.alphas[best], float(intercepts[best])
        self.coefficients = np.ascontiguousarray(path[:, best])
        return self

    def predict(self, flux: Array, *, error: Array | None = None) -> Float64:
        """Estimates (n,) from noisy flux (n, P); `error` is not used.

        Raises:
            DataError: the model was not fitted, or to another number of pixels.
        """
        if flux.shape[1] != len(self.coefficients):
            raise DataError(f"ridge: fitted to {len(self.coefficients)} pixels, asked about {flux.shape[1]}")
        return _product(flux, self.coefficients) + self.intercept

    def save(self, path: str | Path) -> None:
        """Write coefficients, intercept and penalty as npz; the same model gives the same bytes."""
        write_state(
            path, {"coefficients": self.coefficients}, {"kind": KIND, "intercept": self.intercept, "alpha": self.alpha}
        )

    @classmethod
    def load(cls, path: str | Path) -> "Ridge":
        """Read a model for prediction. Raises DataError where the file is none."""
        arrays, about = read_state(path, KIND)
        model = cls((about["alpha"],))
        model.alpha, model.intercept, model.coefficients = about["alpha"], about["intercept"], arrays["coefficients"]
        return model


def _checked(source: Source, y: Array, sample_weight: Array | None) -> tuple[Float64, Float64]:
    count = source.shape[0]
    target = np.asarray(y, dtype=np.float64)
    weight = np.ones(count) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    for name, values in (("y", target), ("sample_weight", weight)):
        if values.shape != (count,) or not np.isfinite(values).all():
            raise DataError(f"ridge: {name} must hold {count} finite numbers; it has shape {values.shape}")
    if not ((weight >= 0).all() and weight.sum() > 0):
        raise DataError("ridge: sample weights must not be negative, and not all zero")
    return target, weight


def _means(source: Source, y: Float64, weight: Float64) -> tuple[Tensor, float]:
    """Weighted means of the flux, (P,) float64, and of y."""
    sums = [_on(weight[rows], flux) @ flux.double() for rows, flux in blocks(source, 0)]
    return torch.stack(sums).sum(dim=0) / weight.sum(), float(weight @ y / weight.sum())


def _primal(source: Source, y: Float64, weight: Float64, mean: Tensor, alphas: Sequence[float]) -> Float64:
    """Coefficients (P, A) through X'X, summed over blocks of spectra."""
    pixels = source.shape[1]
    moment = torch.zeros(pixels, dtype=torch.float64, device=mean.device)
    gram = _Gram(pixels, mean.device)
    for rows, flux in blocks(source, 0, _ROWS):
        root = _on(np.sqrt(weight[rows]), flux)
        scaled = (flux.double() - mean) * root[:, None]
        gram.add(scaled)
        moment += scaled.T @ (_on(y[rows], flux) * root)
    return shifted_solutions(gram.lower_triangle(), moment.cpu().numpy(), alphas)


def _dual(source: Source, y: Float64, weight: Float64, mean: Tensor, alphas: Sequence[float]) -> Float64:
    """Coefficients (P, A) = X'(XX' + alpha)^-1 y: the smaller matrix where spectra are fewer than pixels."""
    flux = torch.cat([block for _, block in blocks(source, 0)])
    root = _on(np.sqrt(weight), flux)
    scaled = (flux.double() - mean) * root[:, None]
    kernel = _Gram(len(y), mean.device)
    kernel.add(scaled.T.contiguous())
    dual = shifted_solutions(kernel.lower_triangle(), y * np.sqrt(weight), alphas)
    return (scaled.T @ torch.from_numpy(dual).to(scaled.device)).cpu().numpy()


class _Gram:
    """Sum of x'x over blocks x (b, k), float64; on a processor the symmetric product of BLAS takes half the work."""

    def __init__(self, size: int, device: torch.device) -> None:
        self._sum = torch.zeros(size, size, dtype=torch.float64, device=device)

    def add(self, x: Tensor) -> None:
        """Add the products of one block."""
        if x.is_cuda:
            self._sum.addmm_(x.T, x)
        else:  # in place: LAPACK's order of a matrix is that of its transpose here
            blas.dsyrk(1.0, x.numpy().T, beta=1.0, c=self._sum.numpy().T, lower=1, overwrite_c=1)

    def lower_triangle(self) -> Float64:
        """The sum in the order of LAPACK; above the diagonal it may hold nothing."""
        return self._sum.cpu().numpy().T


def shifted_solutions(matrix: Float64, right: Float64, shifts: Sequence[float]) -> Float64:
    """Solutions (k, A) of (matrix + shift) x = right for every shift.

    Of the symmetric `matrix` (k, k), best in the order of LAPACK, the lower triangle is read; it is overwritten.

    Raises:
        DataError: LAPACK refuses the matrix.
    """
    size = len(right)
    work = int(lapack.dsytrd_lwork(size, lower=1)[0].real)
    factor, diagonal, beside, tau, info = lapack.dsytrd(matrix, lower=1, lwork=work, overwrite_a=1)
    if info:
        raise DataError(f"ridge: the {size} x {size} normal equations cannot be factorised (dsytrd: {info})")
    reflectors = np.asfortranarray(factor[1:, :-1])
    rotated = _reflect(reflectors, tau, right[:, None], "T")
    bands = np.zeros((3, size))
    bands[0, 1:] = bands[2, :-1] = beside
    solved = np.empty((size, len(shifts)))
    for column, shift in enumerate(shifts):
        bands[1] = diagonal + shift
        solved[:, column] = solve_banded((1, 1), bands, rotated[:, 0])
    return _reflect(reflectors, tau, solved, "N")


def _reflect(reflectors: Float64, tau: Float64, columns: Float64, transpose: str) -> Float64:
    """Q (or Q') times columns (k, A), where Q leaves the first coordinate alone."""
    below = np.asfortranarray(columns[1:])
    work = int(lapack.dormqr("L", transpose, reflectors, tau, below, -1)[1][0].real) if len(below) else 1
    turned = lapack.dormqr("L", transpose, reflectors, tau, below, work)[0] if len(below) else below
    return np.concatenate((columns[:1], turned))


def _product(flux: Array, columns: Float64) -> Float64:
    """flux (n, P) times columns (P, ...), float64, a block of spectra at a time."""
    parts = (np.asarray(flux[first : first + 1024], dtype=np.float64) for first in range(0, len(flux), 1024))
    return np.concatenate([part @ columns for part in parts])


def _on(values: NDArray[Any], other: Tensor) -> Tensor:
    """float64 values on the device of another tensor."""
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float64)).to(other.device)
