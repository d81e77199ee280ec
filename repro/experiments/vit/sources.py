"""What transformers are shown beside fresh noise: a pool of it, one draw of it, labels of another law."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from repro.experiments.data import Clean
from repro.instrument.noise import NoiseModel
from repro.spectra.generate import SetRecipe, generate_set
from repro.spectra.nodes import NodeGrid
from repro.spectra.noise import inject
from repro.spectra.sampling import Mode
from repro.spectra.store import open_set
from repro.training.deviates import Deviates
from repro.training.parallel import main_process, wait
from repro.training.spectra import Source

_GOLDEN: Final = (
    0.6180339887498949  # of a pool, from one presentation to the next: no early repetition, whatever its size
)


@dataclass(frozen=True)
class PooledNoise:
    """flux + noise * error * eps, where presentation 0 has each spectrum's own eps and later ones those of others.

    Drawing deviates takes a processor longer than a small network takes to learn from them. Here every spectrum meets
    other noise at every presentation, and all of it is drawn once: row i of presentation e has the deviates of row
    i + s(e) of presentation 0, with a step s(e) that differs from one presentation to the next. They are as much
    N(0, 1) and independent of the spectrum as new ones; what they are not is independent of what other spectra of
    other presentations had. A pool of N rows lasts N presentations.

    Attributes:
        flux, error: noise-free flux and 1-sigma error, (n, P) float32 on the device of the training.
        noise: noise level.
        deviates: the pool, of at least n rows.
    """

    flux: Tensor
    error: Tensor
    noise: float
    deviates: Deviates

    @property
    def shape(self) -> tuple[int, int]:
        return self.flux.shape[0], self.flux.shape[1]

    def block(self, rows: Tensor, epoch: int) -> Tensor:
        here, count = rows.to(self.flux.device), self.deviates.shape[0]
        if self.noise == 0:
            return self.flux[here]
        others = (rows + self._step(epoch)) % count
        return inject(self.flux[here], self.error[here], self.deviates.block(others, 0), self.noise)

    def _step(self, epoch: int) -> int:
        """Of presentation `epoch`: multiples of a whole number without a factor in common with the pool's size."""
        count = self.deviates.shape[0]
        step = max(round(_GOLDEN * count), 1)
        while torch.gcd(torch.tensor(step), torch.tensor(count)) > 1:
            step += 1
        return epoch * step % count


@dataclass(frozen=True)
class OneDraw:
    """Presentation 0 of another source, again and again: what trees and linear models are given."""

    source: Source

    @property
    def shape(self) -> tuple[int, int]:
        return self.source.shape

    def block(self, rows: Tensor, _epoch: int) -> Tensor:
        return self.source.block(rows, 0)


@dataclass(frozen=True)
class Laws:
    """Training sets whose labels are drawn by another law than those of the data, from the same node grid.

    Attributes:
        own: law of the data.
        grid: file of the node grid.
        noise_model: gives the errors.
        seed: root of the draws, that of the data.
        magnitudes: limits of HSC-i.
        folder: where sets are kept until the caller removes it.
    """

    own: Mode
    grid: Path
    noise_model: NoiseModel
    seed: int
    magnitudes: tuple[float, float]
    folder: Path

    def spectra(self, law: Mode, n: int) -> Clean:
        """The first n training spectra by a law; made where they are not there yet.

        Raises:
            DataError: no such set can be made from the grid, or the disk is full.
        """
        path = self.folder / f"{law}-{n}.h5"
        if main_process() and not path.exists():
            recipe = SetRecipe(law, n, "train", self.seed, self.magnitudes)
            self.folder.mkdir(parents=True, exist_ok=True)
            generate_set(NodeGrid.read(self.grid), recipe, self.noise_model, path)
        wait()
        with open_set(path) as stars:
            return Clean(*stars.read(), stars.labels)
