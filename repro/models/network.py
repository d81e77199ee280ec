"""What the networks on the pixels share: standardised inputs and label, the one loop, storage without pickle."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Final, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from repro.errors import DataError, ParameterError
from repro.models.protocol import Array
from repro.progress import Report, silent
from repro.training.loop import Epoch, Recipe, estimates, train
from repro.training.spectra import Source, Validation, as_source, blocks
from repro.training.state import read_state, write_state


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
        device: where it is trained and where it predicts.
        checkpoint: file from which an interrupted training continues, see `loop.train`.
        report: progress of the training, in presentations.
        watch: called with the model after every epoch that it trains, when it predicts as that epoch left it.

    Attributes:
        history: one row an epoch.
    """

    uses_error = False
    suffix: Final = ".npz"
    kind: ClassVar[str]  # of a stored model, such as "mlp model"

    def __init__(
        self,
        recipe: Recipe | None = None,
        *,
        seed: int = 0,
        device: str | torch.device = "cpu",
        checkpoint: Path | None = None,
        report: Report = silent,
        watch: Callable[[Self], None] | None = None,
    ) -> None:
        self.recipe = recipe or Recipe()
        self.seed = seed
        self.device = torch.device(device)
        self.history: list[Epoch] = []
        self._checkpoint, self._report, self._watch = checkpoint, report, watch
        self._network: nn.Module | None = None
        self._pixels = 0
        self._offset, self._unit = 0.0, 1.0  # of the label

    @property
    def name(self) -> str:
        """What messages call it."""
        return self.kind.removesuffix(" model")

    @property
    def parameters(self) -> int:
        """Number of trained parameters; 0 before a fit."""
        return 0 if self._network is None else sum(weights.numel() for weights in self._network.parameters())

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
        self._pixels = source.shape[1]
        self._offset, self._unit = float(np.mean(y)), float(np.std(y)) or 1.0
        shown = self._prepared(source, y, validation)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            network = self._made(*self._moments(source))
        self._network = network.to(self.device)
        self.history = train(
            self._network,
            shown,
            (np.asarray(y) - self._offset) / self._unit,
            validation._replace(y=(np.asarray(validation.y) - self._offset) / self._unit),
            self.recipe,
            seed=self.seed,
            sample_weight=sample_weight,
            checkpoint=self._checkpoint,
            report=self._report,
            watch=None if self._watch is None else partial(self._watch, self),
        )
        return self

    def predict(self, flux: Array, *, error: Array | None = None) -> NDArray[np.float64]:
        """Estimates (n,) from noisy flux (n, P); `error` is not used.

        Raises:
            DataError: the model was not fitted, or to another number of pixels.
        """
        if self._network is None or flux.shape[1] != self._pixels:
            raise DataError(f"{self.name}: fitted to {self._pixels} pixels, asked about {flux.shape[1]}")
        return self._offset + self._unit * estimates(self._network, flux)

    def save(self, path: str | Path) -> None:
        """Write weights and standardisation as npz; the same model gives the same bytes.

        Raises:
            DataError: the model was not fitted.
        """
        if self._network is None:
            raise DataError(f"{self.name}: not fitted, there is nothing to save")
        about = {"kind": self.kind, "offset": self._offset, "unit": self._unit, **self._settings()}
        write_state(path, {name: value.cpu().numpy() for name, value in self._network.state_dict().items()}, about)

    @classmethod
    def load(cls, path: str | Path, device: str | torch.device = "cpu") -> Self:
        """Read a model for prediction. Raises DataError where the file is none."""
        arrays, about = read_state(path, cls.kind)
        offset, unit = about.pop("offset"), about.pop("unit")
        del about["kind"]
        model = cls(**about, device=device)
        model._offset, model._unit = offset, unit
        model._restore({name: torch.from_numpy(value) for name, value in arrays.items()})
        return model

    @abstractmethod
    def _settings(self) -> dict[str, Any]:
        """Arguments beside the recipe that the shape of the network depends on."""

    @abstractmethod
    def _made(self, mean: Tensor, scale: Tensor) -> nn.Module:
        """An untrained network for flux of these moments (P,)."""

    def _moments(self, source: Source) -> tuple[Tensor, Tensor]:
        """Mean and scale (P,) by which the network standardises its input: here, those of presentation 0."""
        return _moments(source)

    def _prepared(self, source: Source, y: Array, validation: Validation) -> Source:
        """What the network is shown in training: here, the spectra."""
        return source

    def _restore(self, state: Mapping[str, Tensor]) -> None:
        """Put stored weights in place."""
        network = self._made(state["mean"], state["scale"])
        network.load_state_dict(state)
        self._network, self._pixels = network.to(self.device), len(state["mean"])


def _moments(source: Source) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation (P,) of the noisy flux of presentation 0; a constant pixel has unit scale."""
    count = source.shape[0]
    mean = torch.stack([flux.double().sum(dim=0) for _, flux in blocks(source, 0)]).sum(dim=0) / count
    square = torch.stack([((flux.double() - mean) ** 2).sum(dim=0) for _, flux in blocks(source, 0)]).sum(dim=0)
    scale = torch.sqrt(square / count)
    return mean.float(), torch.where(scale > 0, scale, 1.0).float()
