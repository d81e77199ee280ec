"""Ridge: a path of 20 penalties in one factorisation against 20 scikit-learn fits, on the same spectra in the same run.

    python -m benchmarks.ridge [number of spectra]

Spectra are 32 768 x 4096 random ones of a few smooth shapes and noise: the work does not depend on their content. All
scikit-learn fits do the same work, so that two of them are timed and stand for twenty; their coefficients must agree.
Both work in float64 with the same number of BLAS threads; scikit-learn is handed float64 flux that it may overwrite,
the kit float32 blocks that are made as they are asked for, which is part of its time. On a machine with other work
compare processor times. The memory of the streamed fit is the largest of the process before it, after a fit of a
quarter of the spectra, and after one of all. What the same sums serve beside penalties is timed as well.
"""

import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from sklearn.linear_model import Ridge as ScikitRidge
from torch import Tensor

from repro.models.moments import Moments, moments
from repro.models.ols import FLOAT32, ols_path
from repro.models.pca import pca_path
from repro.models.pls import pls_path
from repro.models.ridge import ridge_path
from repro.training.spectra import ROWS, blocks

PIXELS = 4096
ALPHAS = tuple(float(alpha) for alpha in np.logspace(0.0, 4.0, 20))
TIMED = (0, 19)  # of the penalties, with scikit-learn
COMPONENTS = (10, 50, 100, 500)

T = TypeVar("T")


@dataclass(frozen=True)
class Made:
    """n spectra of five shapes and noise, for requests of consecutive rows from the start of a block on."""

    count: int

    @property
    def shape(self) -> tuple[int, int]:
        return self.count, PIXELS

    def block(self, rows: Tensor, _epoch: int) -> Tensor:
        parts = rows.split(ROWS)  # of one block each, whatever the size of the request
        noise = torch.cat(
            [torch.randn(len(part), PIXELS, generator=torch.Generator().manual_seed(int(part[0]))) for part in parts]
        )
        angle = torch.arange(PIXELS) * torch.arange(1.0, 6.0)[:, None] / 300.0
        return 0.5 + 0.05 * self.hidden(rows) @ torch.cos(angle) + 0.1 * noise

    @staticmethod
    def hidden(rows: Tensor) -> Tensor:
        """Five numbers in -1 ... 1 that make a spectrum, (b, 5)."""
        return torch.sin(rows[:, None] * torch.tensor([0.37, 0.91, 1.73, 2.39, 3.11], dtype=torch.float64)).float()

    def label(self) -> np.ndarray:
        """What is to be learnt, (n,)."""
        hidden = self.hidden(torch.arange(self.count)).double().numpy()
        return np.asarray(3.0 + hidden[:, 0] + 0.5 * hidden[:, 1] * hidden[:, 2])


@dataclass(frozen=True)
class Spent:
    """Seconds of wall and of processor time."""

    wall: float
    processor: float

    def __str__(self) -> str:
        return f"{self.wall:.1f} s, processor {self.processor:.1f} s"


def main() -> None:
    """Print times, their ratio, the largest difference of coefficients, and memory against the number of spectra."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 32768
    before = _memory()
    quarter = Made(count // 4)
    ridge_path(moments(quarter, quarter.label()), ALPHAS)
    less = _memory()
    source, y = Made(count), Made(count).label()
    summed, known = _spent(lambda: moments(source, y))
    solved, path = _spent(lambda: ridge_path(known, ALPHAS))
    more = _memory()
    print(f"{count} spectra x {PIXELS} pixels, {len(ALPHAS)} penalties, {torch.get_num_threads()} threads")
    print(f"  this kit, sums over the spectra: {summed}; all penalties: {solved}")
    print(f"  memory of the process: {before:.2f} GiB before, {less:.2f} GiB after a quarter, {more:.2f} GiB after all")
    _others(known)
    flux = np.empty(source.shape)
    for rows, block in blocks(source, 0):
        flux[rows] = block
    shown = flux[:512] - known.mean
    each, difference = [], 0.0
    for place in TIMED:
        spent, theirs = _spent(lambda place=place: ScikitRidge(ALPHAS[place], copy_X=False).fit(flux, y))
        each.append(spent)
        apart = path.coefficients[:, place] - theirs.coef_
        difference = max(difference, float(np.abs(apart).max() / np.abs(theirs.coef_).max()))
        difference = max(difference, float(np.abs(shown @ apart).max()))
    wall, processor = (len(ALPHAS) * float(np.mean([getattr(s, kind) for s in each])) for kind in ("wall", "processor"))
    print(f"  scikit-learn, {len(ALPHAS)} fits: {Spent(wall, processor)}")
    ratios = (wall / (summed.wall + solved.wall), processor / (summed.processor + solved.processor))
    print(f"  ratio {ratios[0]:.1f}, of processor times {ratios[1]:.1f} (target 5)")
    print(f"  largest difference, of coefficients to the largest and of estimates: {difference:.1e} (target 1e-6)")


def _others(known: Moments) -> None:
    """Print what the same sums serve beside the penalties of raw flux."""
    standard, _ = _spent(lambda: ridge_path(known.standardised(), ALPHAS))
    cuts, _ = _spent(lambda: ols_path(known, (0.0, FLOAT32)))
    components, _ = _spent(lambda: pca_path(known, COMPONENTS, ALPHAS))
    partial, _ = _spent(lambda: pls_path(known, COMPONENTS))
    print(f"  standardised pixels: {standard}; least squares with two cuts: {cuts}")
    print(f"  {len(COMPONENTS)} numbers of principal components: {components}; of partial least squares: {partial}")


def _spent(work: Callable[[], T]) -> tuple[Spent, T]:
    started, worked = time.perf_counter(), time.process_time()
    result = work()
    return Spent(time.perf_counter() - started, time.process_time() - worked), result


def _memory() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


if __name__ == "__main__":
    main()
