"""Noise deviates that trainings share: noise levels, sizes and models of one run differ in what they do with them."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from repro.spectra.noise import inject, standard_normal

_ROWS = 64  # drawn at a time: the deviates are computed in float64


@dataclass(frozen=True)
class Deviates:
    """N(0, 1) deviates of the presentations of a set, kept once they are drawn.

    On a CPU drawing a presentation takes longer than learning from it.

    Attributes:
        shape: spectra and pixels.
        seed: root of the deviates.
        most_bytes: what may be kept; presentations beyond it are drawn anew every time.
        device: where they are kept.
        split: the set that they belong to.
    """

    shape: tuple[int, int]
    seed: int
    most_bytes: int
    device: str = "cpu"
    split: str = "train"
    _kept: dict[int, Tensor] = field(default_factory=dict)

    def block(self, rows: Tensor, epoch: int) -> Tensor:
        """Deviates of rows (b,) in presentation `epoch`, (b, P) float32."""
        kept = self._kept.get(epoch)
        if kept is None:
            count, pixels = self.shape
            if (len(self._kept) + 1) * count * pixels * 4 > self.most_bytes:
                return self._drawn(rows, epoch)
            kept = torch.empty(self.shape, device=self.device)
            for part in torch.arange(count).split(_ROWS):
                kept[part[0] : part[-1] + 1] = self._drawn(part, epoch)
            self._kept[epoch] = kept
        return kept[rows.to(kept.device)]

    def _drawn(self, rows: Tensor, epoch: int) -> Tensor:
        return standard_normal(self.seed, self.split, epoch, rows.to(self.device), self.shape[1], self.device)


@dataclass(frozen=True)
class SharedNoise:
    """flux + noise * error * eps as `NoisySpectra` has it, to the bit, with deviates that others use too.

    Attributes:
        flux, error: noise-free flux and 1-sigma error, (n, P) float32 on the device of the training.
        noise: noise level.
        deviates: of at least n spectra, of which these are the first.
    """

    flux: Tensor
    error: Tensor
    noise: float
    deviates: Deviates

    @property
    def shape(self) -> tuple[int, int]:
        return self.flux.shape[0], self.flux.shape[1]

    def block(self, rows: Tensor, epoch: int) -> Tensor:
        here = rows.to(self.flux.device)
        if self.noise == 0:
            return self.flux[here]
        return inject(self.flux[here], self.error[here], self.deviates.block(rows, epoch), self.noise)
