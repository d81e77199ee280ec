"""Multilayer perceptron from a spectrum to one label: 4096 -> 256 -> 64 -> 1."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Self

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

WIDTHS: Final = (256, 64)  # the direct network of the published 32k comparison
KIND: Final = "mlp model"


class MlpNetwork(nn.Module):
    """Standardised flux -> standardised label."""

    def __init__(self, pixels: int, widths: Sequence[int]) -> None:
        super().__init__()
        self.mean: Tensor
        self.scale: Tensor
        self.register_buffer("mean", torch.zeros(pixels))  #                          (P,)
        self.register_buffer("scale", torch.ones(pixels))  #                          (P,)
        sizes = (pixels, *widths)
        hidden = [layer for a, b in zip(sizes, widths, strict=False) for layer in (nn.Linear(a, b), nn.GELU())]
        self.layers = nn.Sequential(*hidden, nn.Linear(sizes[-1], 1))

    def forward(self, flux: Tensor) -> Tensor:  #                                     (b, P)
        x = (flux - self.mean) / self.scale
        result: Tensor = self.layers(x)[:, 0]  #                                      (b,)
        return result


class Mlp:
    """A perceptron on the pixels, trained on fresh noise at every presentation where its source draws it.

    Args:
        recipe: how it is trained.
        seed: of the initial weights and the order of the spectra.
        widths: of the hidden layers.
        device: where it is trained and where it predicts.
        checkpoint: file from which an interrupted training continues, see `loop.train`.
        report: progress of the training, in presentations.

    Attributes:
        history: one row an epoch.
    """

    uses_error = False

    def __init__(
        self,
        recipe: Recipe | None = None,
        *,
        seed: int = 0,
        widths: Sequence[int] = WIDTHS,
        device: str | torch.device = "cpu",
        checkpoint: Path | None = None,
        report: Report = silent,
    ) -> None:
        self.recipe = recipe or Recipe()
        self.seed = seed
        self.widths = tuple(widths)
        self.device = torch.device(device)
        self.history: list[Epoch] = []
        self._checkpoint, self._report = checkpoint, report
        self._network: MlpNetwork | None = None
        self._offset, self._unit = 0.0, 1.0  # of the label

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
            raise ParameterError("mlp: validation data are needed, by which the best epoch is chosen")
        source = as_source(flux, self.device)
        self._offset, self._unit = float(np.mean(y)), float(np.std(y)) or 1.0
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            network = MlpNetwork(source.shape[1], self.widths)
        network.mean, network.scale = _moments(source)
        self._network = network.to(self.device)
        self.history = train(
            self._network,
            source,
            (np.asarray(y) - self._offset) / self._unit,
            validation._replace(y=(np.asarray(validation.y) - self._offset) / self._unit),
            self.recipe,
            seed=self.seed,
            sample_weight=sample_weight,
            checkpoint=self._checkpoint,
            report=self._report,
        )
        return self

    def predict(self, flux: Array, *, error: Array | None = None) -> NDArray[np.float64]:
        """Estimates (n,) from noisy flux (n, P); `error` is not used.

        Raises:
            DataError: the model was not fitted, or to another number of pixels.
        """
        if self._network is None or flux.shape[1] != len(self._network.mean):
            pixels = 0 if self._network is None else len(self._network.mean)
            raise DataError(f"mlp: fitted to {pixels} pixels, asked about {flux.shape[1]}")
        return self._offset + self._unit * estimates(self._network, flux)

    def save(self, path: str | Path) -> None:
        """Write weights and standardisation as npz; the same model gives the same bytes.

        Raises:
            DataError: the model was not fitted.
        """
        if self._network is None:
            raise DataError("mlp: not fitted, there is nothing to save")
        about: dict[str, Any] = {"kind": KIND, "widths": self.widths, "offset": self._offset, "unit": self._unit}
        write_state(path, {name: value.cpu().numpy() for name, value in self._network.state_dict().items()}, about)

    @classmethod
    def load(cls, path: str | Path, device: str | torch.device = "cpu") -> "Mlp":
        """Read a model for prediction. Raises DataError where the file is none."""
        arrays, about = read_state(path, KIND)
        model = cls(widths=about["widths"], device=device)
        model._offset, model._unit = about["offset"], about["unit"]
        model._network = MlpNetwork(len(arrays["mean"]), model.widths)
        model._network.load_state_dict({name: torch.from_numpy(value) for name, value in arrays.items()})
        model._network.to(model.device)
        return model


def _moments(source: Source) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation (P,) of the noisy flux of presentation 0; a constant pixel has unit scale."""
    count = source.shape[0]
    mean = torch.stack([flux.double().sum(dim=0) for _, flux in blocks(source, 0)]).sum(dim=0) / count
    square = torch.stack([((flux.double() - mean) ** 2).sum(dim=0) for _, flux in blocks(source, 0)]).sum(dim=0)
    scale = torch.sqrt(square / count)
    return mean.float(), torch.where(scale > 0, scale, 1.0).float()
