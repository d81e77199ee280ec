"""Where transformers and what stands beside them are trained, and how a training becomes rows of the table."""

import shutil
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from repro.experiments.data import Clean, Data
from repro.experiments.table import Arm
from repro.experiments.vit.sources import Laws, OneDraw, PooledNoise
from repro.experiments.vit.variants import Convolutions, Entry, Variant
from repro.models.cnn import Cnn
from repro.models.network import NetworkModel
from repro.models.vit import Vit
from repro.progress import Report
from repro.training.deviates import Deviates, SharedNoise
from repro.training.history import write_history
from repro.training.parallel import main_process
from repro.training.spectra import Source, Validation

Announced = Callable[[str], AbstractContextManager[Report]]  # what shows the progress of a training of that name


@dataclass(frozen=True)
class Trained:
    """A network of one size and run, which is stored with its history beside it."""

    model: NetworkModel
    n: int
    run: int

    @property
    def suffix(self) -> str:
        """What follows the name of the arm, which has neither size nor run."""
        return f"_n{self.n}_seed{self.run}{self.model.suffix}"

    def save(self, path: Path) -> None:
        """Write the network, and its history as CSV."""
        self.model.save(path)
        write_history(self.model.history, path.with_suffix(".csv"))


@dataclass(frozen=True)
class Bench:
    """Data, and how they are shown.

    Attributes:
        data: what everything is trained and tested on.
        pooled: whether noise is drawn once and passed round, see `PooledNoise`, instead of anew at every presentation.
        announced: shows progress.
        laws: labels of other laws; None where they cannot be drawn.
        checkpoints: folder from which an interrupted training continues; None: it begins anew.
        live: folder with a page for each training that runs or ran; None: there are none.
    """

    data: Data
    pooled: bool
    announced: Announced
    laws: Laws | None = None
    checkpoints: Path | None = None
    live: Path | None = None
    _noise: dict[int, Deviates] = field(default_factory=dict)

    def fit(self, variant: Variant, n: int, run: int, job: str, validation: Validation | None = None) -> NetworkModel:
        """Train on the first n spectra in run `run`; `validation` of that noise level by default."""
        clean = self._clean(variant, n)
        with self.announced(f"{job}, {n} spectra, seed {run}") as report:
            model = self._model(variant, run, job, report)
            model.fit(
                self._source(variant, clean, n, run),
                clean.y[:n],
                validation=validation or self.data.validation(variant.level),
                sample_weight=error_weights(clean.error[:n]) if variant.weighted else None,
            )
        return model

    def arms(
        self,
        model: NetworkModel,
        name: str,
        entries: Sequence[Entry],
        place: tuple[float, int, int],
        levels: Sequence[float],
    ) -> list[Arm]:
        """Rows of a trained network, one for each entry and test level.

        Args:
            name: what the table calls the model.
            place: noise level, size and run of the training.
            levels: noise levels of `cross_noise`; other experiments are tested at the level of the training.
        """
        trained, n, run = place
        arms: list[Arm] = []
        for entry in entries:
            judged = model if entry.kept == "best" else model.with_weights(entry.kept)
            facts, score = self._facts(judged, entry, trained)
            for level in levels if entry.experiment == "cross_noise" else (trained,):
                arm = Arm(
                    entry.experiment,
                    name,
                    entry.setting,
                    train_noise=trained,
                    test_noise=level,
                    n_train=n,
                    seed=run,
                    prediction=judged.predict(self.data.test_flux(level)),
                    validation_r2=score,
                    facts=facts,
                    kept=None if arms else Trained(model, n, run),
                )
                arms.append(arm)
        return arms

    def forget(self, job: str) -> None:
        """Remove what a job left to continue from."""
        if self.checkpoints is not None and main_process():
            shutil.rmtree(self.checkpoints / job, ignore_errors=True)

    def _facts(self, model: NetworkModel, entry: Entry, level: float) -> tuple[dict[str, float], float]:
        """Facts of a training and validation R2 of the weights that count."""
        history, facts = model.history, model.facts
        if entry.kept == "best":
            return facts, history[model.recipe.best(history)].validation_r2
        facts["epochs"] = history[-1].epoch
        flux, y, _ = self.data.validation(level)
        return facts, float(1.0 - np.mean((model.predict(flux) - y) ** 2) / np.var(y))

    def _model(self, variant: Variant, run: int, job: str, report: Report) -> NetworkModel:
        place: dict[str, Any] = {
            "seed": self.data.seed + run,
            "device": self.data.device,
            "labels": variant.labels,
            "report": report,
            "live": None if self.live is None else self.live / job,
        }
        if self.checkpoints is not None:
            (self.checkpoints / job).mkdir(parents=True, exist_ok=True)
            place["checkpoint"] = self.checkpoints / job / "training"
        if isinstance(variant.network, Convolutions):
            shape = variant.network
            return Cnn(variant.recipe, kernel=shape.kernel, channels=shape.channels, **place)
        return Vit(variant.recipe, shape=variant.network, **place)

    def _clean(self, variant: Variant, n: int) -> Clean:
        if variant.law is None:
            return self.data.train
        assert self.laws is not None  # otherwise no such variant is asked for
        return self.laws.spectra(variant.law, n)

    def _source(self, variant: Variant, clean: Clean, n: int, run: int) -> Source:
        if run not in self._noise:
            self._noise.clear()  # one run is at work at a time
            kept = self.data.train.flux.nbytes if self.pooled else 0
            self._noise[run] = Deviates(self.data.train.flux.shape, self.data.seed + run, kept, self.data.device)
        flux, error = (torch.as_tensor(values[:n], device=self.data.device) for values in (clean.flux, clean.error))
        kind = PooledNoise if self.pooled else SharedNoise
        source = kind(flux, error, variant.level * self.data.noise, self._noise[run])
        return source if variant.fresh else OneDraw(source)


def error_weights(error: np.ndarray[Any, np.dtype[np.float32]]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Weights (n,) of squared errors from 1-sigma errors (n, P): 1 / sigma^2 of the median pixel, of mean 1."""
    weight = np.median(error, axis=1).astype(np.float64) ** -2.0
    result: np.ndarray[Any, np.dtype[np.float64]] = weight / weight.mean()
    return result
