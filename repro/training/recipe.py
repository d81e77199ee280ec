"""How a network is trained: the objective, the optimizer, the schedule and what chooses the weights that are kept."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal, get_args

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from repro.errors import ParameterError
from repro.training.history import Epoch

Loss = Literal["mse", "l1", "huber"]
Optimizer = Literal["adamw", "muon"]
Schedule = Literal["cosine", "linear"]
Per = Literal["update", "epoch"]
Select = Literal["r2", "mae"]
Mode = Literal["strict", "fast"]
Compile = Literal["default", "reduce-overhead", "max-autotune"]

_CHOICES: Final[dict[str, Any]] = {
    "loss": Loss,
    "optimizer": Optimizer,
    "schedule": Schedule,
    "per": Per,
    "select": Select,
    "mode": Mode,
    "compile": Compile,
}
_MAY_BE_ZERO: Final = ("weight_decay", "floor", "warmup", "steps", "patience", "average")


@dataclass(frozen=True)
class Recipe:
    """How a network is trained; the defaults are those of the MLP on 8000 spectra, judged on validation alone.

    Raises:
        ParameterError: a number or a word that cannot be.
    """

    epochs: int = 5
    batch: int = 128  # as good as 64 at one learning rate, and a quarter faster; of all devices together
    learning_rate: float = 1e-3  # the largest
    weight_decay: float = 1e-2
    clip: float = 1.0  # largest norm of the gradient
    steps: int = 0  # updates in all, in place of `epochs`, of which the last may be cut short
    patience: int = 0  # epochs without a better validation after which it stops; 0: it never does
    average: float = 0.0  # decay per update of the average of weights that is judged and kept; 0: the weights are
    loss: Loss = "mse"
    delta: float = 1.0  # error at which `huber` turns from squares to lines, in units of the training label
    optimizer: Optimizer = "adamw"  # `muon` is for matrices, see `optimizers.begun`
    betas: tuple[float, float] = (0.9, 0.999)  # of AdamW
    schedule: Schedule = "cosine"
    floor: float = 0.0  # learning rate that the schedule falls to
    per: Per = "update"  # how often the rate changes
    warmup: int = 0  # updates in which the rate rises linearly from 0
    select: Select = "r2"  # validation score that chooses the epoch: the largest R2 or the least mean absolute error
    mode: Mode = "strict"
    compile: Compile = "default"  # of torch.compile in mode `fast` on a GPU; the others replay CUDA graphs

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if name in _CHOICES:
                words = get_args(_CHOICES[name])
                if value not in words:
                    raise ParameterError(f"training: {name} = {value!r} must be {' or '.join(words)}")
            elif name == "betas":
                if not all(0.0 <= beta < 1.0 for beta in value):
                    raise ParameterError(f"training: betas = {value} must be decays below 1")
            elif not (math.isfinite(value) and value >= 0 and (value > 0 or name in _MAY_BE_ZERO)):
                raise ParameterError(f"training: {name} = {value} must be a finite number > 0")
        if self.average >= 1:
            raise ParameterError(f"training: average = {self.average} must be a decay below 1")
        if self.floor > self.learning_rate:
            raise ParameterError(f"training: floor = {self.floor} is above learning_rate = {self.learning_rate}")

    def plan(self, count: int) -> tuple[int, int]:
        """Epochs and updates that so many spectra are trained for, unless `patience` ends it."""
        batches = math.ceil(count / self.batch)
        steps = self.steps or self.epochs * batches
        return math.ceil(steps / batches), steps

    def presentations(self, count: int, steps: int) -> int:
        """Spectra shown in the first `steps` updates of a training on `count` spectra."""
        passes, rest = divmod(steps, math.ceil(count / self.batch))
        return passes * count + rest * self.batch

    def rate(self, step: int, steps: int, batches: int = 1) -> float:
        """Learning rate of update 0 ... steps - 1, of which an epoch has `batches`.

        Per epoch it is that of torch's CosineAnnealingLR with T_max = epochs.
        """
        if self.per == "epoch":
            share = (step // batches) / math.ceil(steps / batches)
        else:
            share = max(step - self.warmup, 0) / max(steps - self.warmup, 1)
        fall = 0.5 * (self.learning_rate - self.floor)
        fall *= 1.0 + math.cos(math.pi * share) if self.schedule == "cosine" else 2.0 * (1.0 - share)
        rise = min((step + 1) / self.warmup, 1.0) if self.warmup else 1.0
        return (self.floor + fall) * rise

    def losses(self, given: Tensor, goal: Tensor) -> Tensor:
        """Loss of each estimate (b,) of a goal (b,)."""
        if self.loss == "l1":
            return (given - goal).abs()
        if self.loss == "huber":  # error^2 / 2, from delta on delta (|error| - delta / 2)
            return functional.huber_loss(given, goal, reduction="none", delta=self.delta)
        return (given - goal) ** 2

    def best(self, history: Sequence[Epoch]) -> int:
        """Index of the epoch of best validation; of equal ones the first."""
        if self.select == "mae":
            return int(np.argmin([row.validation_mae for row in history]))
        return int(np.argmax([row.validation_r2 for row in history]))

    def stops(self, history: Sequence[Epoch]) -> bool:
        """Whether no epoch follows these."""
        return bool(self.patience and history and len(history) - 1 - self.best(history) >= self.patience)

    def precision(self, device: torch.device) -> dict[str, Any]:
        """What a training by this recipe computes with on a device, for its provenance."""
        fast = self.fast_on(device)
        return {
            "mode": "fast" if fast else "strict",
            "precision": "bfloat16 products" if fast else "float32",
            "tf32": fast,
            "compile": self.compile if fast else None,
            "deterministic": not fast,
        }

    def fast_on(self, device: torch.device) -> bool:
        """Whether it compiles and multiplies in bfloat16 there: a processor would be the slower for it."""
        return self.mode == "fast" and device.type == "cuda"


# The published run on 1M spectra, on z-scored labels: 200 epochs planned, T_max 200, no warm-up, the checkpoint of
# least validation MAE. It was computed in mixed 16-bit precision: mode `fast`; on a processor that is `strict`.
FAITHFUL: Final = Recipe(
    epochs=200,
    batch=256,
    learning_rate=3e-4,
    weight_decay=1e-2,
    clip=0.5,
    floor=1e-5,
    per="epoch",
    select="mae",
    mode="fast",
)

# For minutes on one GPU. Choices by argument, not by a search at this size:
FAST: Final = Recipe(
    epochs=15,  # 15 million presentations of 1M spectra
    batch=1024,  # few updates of much work each keep a GPU busy; Muon loses less than AdamW by large batches
    learning_rate=1e-3,  # Muon's updates have the root mean square of AdamW's, so that one rate serves both
    weight_decay=1e-2,
    clip=0.5,
    optimizer="muon",  # orthogonal updates of the blocks' matrices: fewer updates for the same loss
    warmup=300,  # 2 % of the updates: AdamW's second moments are noise before
    schedule="linear",  # to 0: as good as a cosine for a fixed number of updates, and with nothing to choose
    average=0.999,  # over one epoch: stands in for the last part of a longer fall of the rate
    select="mae",
    mode="fast",
)
