"""What the networks on the pixels share: standardised inputs and label, the one loop, storage without pickle."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from copy import copy, deepcopy
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Final, Literal, Self, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from repro.errors import DataError, ParameterError
from repro.models.protocol import Array, Missing
from repro.progress import Report, silent
from repro.training.history import Epoch
from repro.training.loop import Trained, estimates, train
from repro.training.recipe import Recipe
from repro.training.spectra import Source, Validation, as_source, blocks
from repro.training.weights import SUFFIX, read_weights, write_weights

Labels = Literal["zscore", "minmax", "none"]
Kept = Literal["best", "last", "average"]


class Standardised(nn.Module):
    """A network whose input is standardised pixel by pixel: `forward` begins with (flux - mean) / scale."""

    def __init__(self, mean: Tensor, scale: Tensor) -> None:
        super().__init__()
        self.mean: Tensor
        self.scale: Tensor
        self.register_buffer("mean", mean)  #                                         (P,)
        self.register_buffer("scale", scale)  #                                       (P,)


class NetworkModel(ABC):
    """A network from noisy flux to one label, trained on fresh noise at every presentation where its source draws it.

    Args:
        recipe: how it is trained.
        seed: of the initial weights, the order of the spectra and what the network draws.
        labels: on what scale it learns: less their mean over their standard deviation, less the least one over the
            range, or as they are.
        missing: what becomes of observed spectra that lack pixels: they are refused beyond a few, or up to half of the
            pixels is filled, with the mean training spectrum if the network standardises its input and from their
            neighbours else, and a warning says so. `mask` is for a network that was trained on spectra with holes.
        device: where it is trained and where it predicts.
        checkpoint: file from which an interrupted training continues, see `loop.train`.
        every: least seconds between its states, see `loop.train`.
        report: progress of the training, in presentations.
        watch: called with the model after every epoch that it trains, when it predicts as that epoch left it.
        live: folder of a page that shows the training while it runs.

    Attributes:
        history: one row an epoch.

    Raises:
        ParameterError: an unknown scale of the labels, or another word for `missing`.
    """

    uses_error = False
    suffix: Final = SUFFIX
    kind: ClassVar[str]  # of a stored model, such as "mlp model"

    def __init__(
        self,
        recipe: Recipe | None = None,
        *,
        seed: int = 0,
        labels: Labels = "zscore",
        missing: Missing = "refuse",
        device: str | torch.device = "cpu",
        checkpoint: Path | None = None,
        every: float = 60.0,
        report: Report = silent,
        watch: Callable[[Self], None] | None = None,
        live: Path | None = None,
    ) -> None:
        if labels not in get_args(Labels):
            raise ParameterError(f"{self.name}: labels = {labels!r} must be {' or '.join(get_args(Labels))}")
        if missing not in get_args(Missing):
            raise ParameterError(f"{self.name}: missing = {missing!r} must be {' or '.join(get_args(Missing))}")
        self.recipe = recipe or Recipe()
        self.seed = seed
        self.labels: Labels = labels
        self.missing: Missing = missing
        self.device = torch.device(device)
        self._checkpoint, self._every, self._live = checkpoint, every, live
        self._report, self._watch = report, watch
        self._network: nn.Module | None = None
        self._trained = Trained([], {})
        self._pixels, self._spectra = 0, 0
        self._offset, self._unit = 0.0, 1.0  # of the label

    @property
    def name(self) -> str:
        """What messages call it."""
        return self.kind.removesuffix(" model")

    @property
    def history(self) -> list[Epoch]:
        """One row for each epoch of the fit."""
        return self._trained.history

    @property
    def network(self) -> nn.Module:
        """The network that predicts. Raises DataError before a fit."""
        if self._network is None:
            raise DataError(f"{self.name}: not fitted, there is no network")
        return self._network

    @property
    def label(self) -> tuple[float, float]:
        """Offset and unit: an estimate is offset + unit * what the network gives."""
        return self._offset, self._unit

    @property
    def parameters(self) -> int:
        """Number of parameters; 0 before a fit."""
        return 0 if self._network is None else sum(weights.numel() for weights in self._network.parameters())

    @property
    def parameters_used(self) -> int:
        """Number of those that are trained; 0 before a fit."""
        if self._network is None:
            return 0
        return sum(weights.numel() for weights in self._network.parameters() if weights.requires_grad)

    @property
    def facts(self) -> dict[str, float]:
        """What a fit came to: parameters; the epoch that is kept and those that ran; updates and presentations of all.

        Scores of the validation spectra: mean absolute error of the kept epoch, in units of the label as it is trained
        on, and R2 of the last one.

        Raises:
            DataError: before a fit.
        """
        if not self.history:
            raise DataError(f"{self.name}: not fitted here, there is nothing to tell")
        best, run = self.recipe.best(self.history), len(self.history)
        epochs, planned = self.recipe.plan(self._spectra)
        steps = planned if run == epochs else run * -(-self._spectra // self.recipe.batch)
        return {
            "parameters": self.parameters,
            "parameters_used": self.parameters_used,
            "epochs": self.history[best].epoch,
            "epochs_run": run,
            "steps": steps,
            "presentations": self.recipe.presentations(self._spectra, steps),
            "best_validation_mae": self.history[best].validation_mae,
            "last_validation_r2": self.history[-1].validation_r2,
        }

    def fit(
        self,
        flux: Array | Source,
        y: Array,
        *,
        error: Array | None = None,
        validation: Validation | None = None,
        sample_weight: Array | None = None,
    ) -> Self:
        """Learn y (n,) from noisy flux (n, P), or from a source that shows other noise at every presentation.

        Args:
            error: not used.
            validation: spectra by which the best epoch is chosen.
            sample_weight: (n,) weights of the squared errors.

        Raises:
            ParameterError: no validation.
            DataError: as `loop.train`.
        """
        if validation is None:
            raise ParameterError(f"{self.name}: validation data are needed, by which the best epoch is chosen")
        source = as_source(flux, self.device)
        self._spectra, self._pixels = source.shape
        self._offset, self._unit = _scale(y, self.labels)
        shown = self._prepared(source, y, validation)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            network = self._made(*self._moments(source))
        self._network = network.to(self.device)
        self._trained = train(
            self._network,
            shown,
            (np.asarray(y) - self._offset) / self._unit,
            validation._replace(y=(np.asarray(validation.y) - self._offset) / self._unit),
            self.recipe,
            seed=self.seed,
            sample_weight=sample_weight,
            checkpoint=self._checkpoint,
            every=self._every,
            report=self._report,
            watch=None if self._watch is None else partial(self._watch, self),
            live=self._live,
        )
        return self

    def with_weights(self, kept: Kept) -> Self:
        """This model with other weights of its fit: `last`, after the last update, or their `average` then.

        Raises:
            DataError: the model was not fitted here, or its recipe averages no weights.
        """
        if kept not in self._trained.weights:
            raise DataError(f"{self.name}: no weights {kept!r}; there are {', '.join(self._trained.weights) or 'none'}")
        other = copy(self)
        other._network = deepcopy(self.network)
        other._network.load_state_dict(self._trained.weights[kept])
        return other

    def predict(self, flux: Array, *, error: Array | None = None) -> NDArray[np.float64]:
        """Estimates (n,) from noisy flux (n, P); `error` is not used.

        Raises:
            DataError: the model was not fitted, or to another number of pixels.
        """
        if self._network is None or flux.shape[1] != self._pixels:
            raise DataError(f"{self.name}: fitted to {self._pixels} pixels, asked about {flux.shape[1]}")
        return self._offset + self._unit * estimates(self._network, flux)

    def save(self, path: str | Path) -> None:
        """Write weights and standardisation as safetensors; the same model gives the same bytes.

        Raises:
            DataError: the model was not fitted.
        """
        if self._network is None:
            raise DataError(f"{self.name}: not fitted, there is nothing to save")
        scale = {"labels": self.labels, "offset": self._offset, "unit": self._unit}
        # the default goes unsaid, as in the files written before there was a choice
        holes = {} if self.missing == "refuse" else {"missing": self.missing}
        write_weights(path, self._network.state_dict(), {"kind": self.kind, **scale, **holes, **self._settings()})

    @classmethod
    def load(cls, path: str | Path, device: str | torch.device = "cpu") -> Self:
        """Read a model for prediction. Raises DataError where the file is none."""
        weights, about = read_weights(path, cls.kind)
        offset, unit = about.pop("offset"), about.pop("unit")
        del about["kind"]
        model = cls(**about, device=device)
        model._offset, model._unit = offset, unit
        model._restore(weights)
        return model

    @abstractmethod
    def _settings(self) -> dict[str, Any]:
        """Arguments beside the recipe that the shape of the network depends on."""

    @abstractmethod
    def _made(self, mean: Tensor, scale: Tensor) -> nn.Module:
        """An untrained network for flux of these moments (P,)."""

    def _prepared(self, source: Source, y: Array, validation: Validation) -> Source:
        """What the network is shown in training: here, the spectra."""
        return source

    def _moments(self, source: Source) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation (P,) that pixels are standardised by: of the noisy flux of presentation 0.

        A constant pixel has unit scale. A network that is shown raw flux has no need of a pass over the spectra.
        """
        count = source.shape[0]
        mean = torch.stack([flux.double().sum(dim=0) for _, flux in blocks(source, 0)]).sum(dim=0) / count
        square = torch.stack([((flux.double() - mean) ** 2).sum(dim=0) for _, flux in blocks(source, 0)]).sum(dim=0)
        scale = torch.sqrt(square / count)
        return mean.float(), torch.where(scale > 0, scale, 1.0).float()

    def _restore(self, state: Mapping[str, Tensor]) -> None:
        """Put stored weights in place."""
        network = self._made(state["mean"], state["scale"])
        network.load_state_dict(state)
        self._network, self._pixels = network.to(self.device), len(state["mean"])


def _scale(y: Array, labels: Labels) -> tuple[float, float]:
    """Offset and unit of labels y (n,); equal labels have unit 1."""
    if labels == "none":
        return 0.0, 1.0
    if labels == "minmax":
        return float(np.min(y)), float(np.ptp(y)) or 1.0
    return float(np.mean(y)), float(np.std(y)) or 1.0
