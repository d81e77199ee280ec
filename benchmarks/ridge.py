"""Ridge: a path of 20 penalties in one factorisation against 20 scikit-learn fits, on the same spectra in the same run.

    python -m benchmarks.ridge [number of spectra]

Spectra are 8192 x 4096 random ones of a few smooth shapes and noise: the work does not depend on their content. All
scikit-learn fits do the same work, so that three of them are timed and stand for twenty; their coefficients must agree.
Both work in float64 with the same BLAS threads. The memory of the streamed fit is that of the process before and after
a fit of four times as many spectra, which are made block by block.
"""

import resource
import sys
import time
from dataclasses import dataclass

import numpy as np
import torch
from sklearn.linear_model import Ridge as ScikitRidge
from torch import Tensor

from repro.models.ridge import Ridge
from repro.training.spectra import ROWS, Source, Validation, blocks

PIXELS = 4096
ALPHAS = tuple(float(alpha) for alpha in np.logspace(0.0, 4.0, 20))
TIMED = (0, 10, 19)  # of the penalties, with scikit-learn


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


def main() -> None:
    """Print times, their ratio, the largest difference of coefficients, and memory against the number of spectra."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 8192
    small, source = Made(512), Made(count)
    validation = Validation(_all(small), small.label())
    y = source.label()
    before = _memory()
    seconds, processor = _timed(source, y, validation)
    once = _memory()
    larger, _ = _timed(Made(4 * count), Made(4 * count).label(), validation)
    fourfold = _memory()
    print(f"{count} spectra x {PIXELS} pixels, {len(ALPHAS)} penalties, {torch.get_num_threads()} threads")
    print(f"  this kit, streamed: {seconds:.1f} s, processor time {processor:.1f} s; four times as many {larger:.1f} s")
    print(
        f"  memory of the process: {before:.2f} GiB before, {once:.2f} GiB, with four times as many {fourfold:.2f} GiB"
    )
    flux = _all(source).astype(np.float64)
    each, difference = [], 0.0
    for place in TIMED:
        started = time.perf_counter()
        theirs = ScikitRidge(ALPHAS[place]).fit(flux, y)
        each.append(time.perf_counter() - started)
        ours = Ridge((ALPHAS[place],)).fit(source, y)
        difference = max(difference, np.abs(ours.coefficients / theirs.coef_ - 1.0).max())
        estimates = ours.predict(validation.flux) - theirs.predict(validation.flux.astype(np.float64))
        difference = max(difference, float(np.abs(estimates).max()))
    total = float(np.mean(each)) * len(ALPHAS)
    print(f"  scikit-learn, {len(ALPHAS)} fits: {total:.0f} s ({np.mean(each):.1f} s each)")
    print(f"  ratio {total / seconds:.1f} (target 5); largest difference {difference:.1e} (target 1e-6)")


def _timed(source: Source, y: np.ndarray, validation: Validation) -> tuple[float, float]:
    started, worked = time.perf_counter(), time.process_time()
    Ridge(ALPHAS).fit(source, y, validation=validation)
    return time.perf_counter() - started, time.process_time() - worked


def _all(source: Source) -> np.ndarray:
    return np.concatenate([block.numpy() for _, block in blocks(source, 0)])


def _memory() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


if __name__ == "__main__":
    main()
