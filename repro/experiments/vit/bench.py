"""Where transformers and what stands beside them are trained, and how a training becomes rows of the table."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from repro.experiments.data import Clean, Data
from repro.experiments.plan import PUBLISHED
from repro.experiments.table import Arm
from repro.experiments.vit.sources import Laws, OneDraw, PooledNoise
from repro.experiments.vit.variants import Convolutions, Entry, Variant
from repro.models.cnn import Cnn
from repro.models.network import Kept, NetworkModel
from repro.models.swin import Swin, SwinShape
from repro.models.vit import Vit
from repro.progress import Report
from repro.training.deviates import Deviates, SharedNoise
from repro.training.history import write_history
from repro.training.recipe import Recipe
from repro.training.spectra import Source, Validation

Announced = Callable[[str], AbstractContextManager[Report]]  # what shows the progress of a training of that name
Counted = Callable[[str, Recipe, int], AbstractContextManager[Report]]  # what counts the work of a job, recipe and seed


@dataclass(frozen=True)
class Fit:
    """A trained network, which is stored with its history beside it.

    Attributes:
        model: the network.
        place: noise level, size and run of the training.
        labels: mean and standard deviation of its labels [dex].
    """

    model: NetworkModel
    place: tuple[float, int, int]
    labels: tuple[float, float]

    @property
    def suffix(self) -> str:
        """What follows the name of the arm, which has neither size nor run, nor a noise level other than 1."""
        level, n, run = self.place
        noise = "" if level == PUBLISHED else f"_noise{level:g}"
        return f"{noise}_n{n}_seed{run}{self.model.suffix}"

    def save(self, path: Path) -> None:
        """Write the network, and its history as CSV."""
        self.model.save(path)
        write_history(self.model.history, path.with_suffix(".csv"))

    def score(self, kept: Kept, validation: Validation) -> tuple[NetworkModel, dict[str, float], float]:
        """The network with the weights that count, facts of the training, and their validation R2."""
        model, history = self.model, self.model.history
        facts = model.facts | {"label_mean": self.labels[0], "label_std": self.labels[1]}
        if kept == "best":
            return model, facts, history[model.recipe.best(history)].validation_r2
        model = model.with_weights(kept)
        error = model.predict(validation.flux) - validation.y
        return model, facts | {"epochs": history[-1].epoch}, float(1.0 - np.mean(error**2) / np.var(validation.y))


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
        counted: takes down what a training takes; None: nothing does.
    """

    data: Data
    pooled: bool
    announced: Announced
    laws: Laws | None = None
    checkpoints: Path | None = None
    live: Path | None = None
    counted: Counted | None = None
    _noise: dict[int, Deviates] = field(default_factory=dict)

    def fit(self, variant: Variant, n: int, run: int, job: str, validation: Validation | None = None) -> Fit:
        """Train on the first n spectra in run `run`; `validation` of that noise level by default."""
        clean = self._clean(variant, n)
        y = clean.y[:n]
        with self._reporting(f"{job}, {n} spectra, seed {run}", variant, run, job) as report:
            model = self._model(variant, run, job, report)
            model.fit(
                self._source(variant, clean, n, run),
                y,
                validation=validation or self.data.validation(variant.level),
                sample_weight=error_weights(clean.error[:n]) if variant.weighted else None,
            )
        return Fit(model, (variant.level, n, run), (float(np.mean(y)), float(np.std(y))))

    def arms(self, fit: Fit, name: str, entries: Sequence[Entry], levels: Sequence[float]) -> list[Arm]:
        """Rows of a trained network, one for each entry and test level.

        Args:
            name: what the table calls the model.
            levels: noise levels of `cross_noise`; other experiments are tested at the level of the training.
        """
        trained, n, run = fit.place
        said: dict[tuple[Kept, float], NDArray[np.float64]] = {}
        arms: list[Arm] = []
        for entry in entries:
            model, facts, score = fit.score(entry.kept, self.data.validation(trained))
            for level in levels if entry.experiment == "cross_noise" else (trained,):
                if (entry.kept, level) not in said:
                    said[entry.kept, level] = model.predict(self.data.test_flux(level))
                arm = Arm(
                    entry.experiment,
                    name,
                    entry.setting,
                    train_noise=trained,
                    test_noise=level,
                    n_train=n,
                    seed=run,
                    prediction=said[entry.kept, level],
                    validation_r2=score,
                    facts=facts,
                    kept=None if arms else fit,
                )
                arms.append(arm)
        return arms

    def forget(self, job: str) -> None:
        """Remove what a job left to continue from."""
        if self.checkpoints is not None:
            shutil.rmtree(self.checkpoints / job, ignore_errors=True)

    @contextmanager
    def _reporting(self, text: str, variant: Variant, run: int, job: str) -> Iterator[Report]:
        """What a training reports to."""
        with self.announced(text) as shown:
            if self.counted is None:
                yield shown
                return
            with self.counted(job, variant.recipe, self.data.seed + run) as count:

                def report(done: int, total: int) -> None:
                    shown(done, total)
                    count(done, total)

                yield report

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
        network = variant.network
        if isinstance(network, Convolutions):
            return Cnn(variant.recipe, kernel=network.kernel, channels=network.channels, **place)
        if isinstance(network, SwinShape):
            return Swin(variant.recipe, shape=network, **place)
        return Vit(variant.recipe, shape=network, **place)

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


def error_weights(error: NDArray[np.float32]) -> NDArray[np.float64]:
    """Weights (n,) of squared errors from 1-sigma errors (n, P): 1 / sigma^2 of the median pixel, of mean 1."""
    weight = np.median(error, axis=1).astype(np.float64) ** -2.0
    result: NDArray[np.float64] = weight / weight.mean()
    return result
