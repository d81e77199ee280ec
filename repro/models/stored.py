"""Any stored model, by what its file says that it is: networks (safetensors), linear models (npz), trees (text)."""

import importlib
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from repro.errors import DataError, ParameterError
from repro.models.protocol import Missing, Predictor
from repro.training.weights import SUFFIX, read_about

_NETWORKS: Final = {
    "vit model": "vit.Vit",
    "swin model": "swin.Swin",
    "mlp model": "mlp.Mlp",
    "residual mlp model": "residual.ResidualMlp",
    "cnn model": "cnn.Cnn",
}
_LINEAR: Final = {
    "ridge model": "ridge.Ridge",
    "pls model": "pls.Pls",
    "pca_ridge model": "pca.PcaRidge",
    "ols model": "ols.Ols",
}


@dataclass(frozen=True)
class Stored:
    """A model for prediction.

    Attributes:
        model: gives log g [dex] from noisy flux.
        kind: what the file says that it is, such as `vit model`.
        missing: what the model declares of spectra that lack pixels: that they be refused, or filled and flagged. A
            network says so in its file (`NetworkModel`); linear models and trees refuse.
        mean: (P,) mean noisy flux of its training spectra, None where the file does not hold it.
    """

    model: Predictor
    kind: str
    missing: Missing
    mean: NDArray[np.float64] | None


def load_model(path: str | Path, device: str | torch.device = "cpu") -> Stored:
    """Read a model file of this kit; nothing in it is executed.

    Raises:
        DataError: the file is absent, torn, or holds no model that estimates log g from pixels.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path}: no such file; a model is a {SUFFIX}, .npz or LightGBM .txt file below models/")
    if path.suffix == ".txt":
        from repro.models.gbdt import Gbdt

        return Stored(Gbdt.load(path), "gbdt model", "refuse", None)
    network = path.suffix == SUFFIX
    kind = str(read_about(path, "model").get("kind")) if network else _kind_of_npz(path)
    known = _NETWORKS if network else _LINEAR
    if kind not in known:
        raise DataError(f"{path}: holds a {kind}; known in such files are {', '.join(known)}")
    room, _, name = known[kind].partition(".")
    cls: Any = getattr(importlib.import_module(f"repro.models.{room}"), name)
    try:
        model = cls.load(path, device) if network else cls.load(path)
    except (TypeError, KeyError, RuntimeError, ParameterError) as error:  # weights or settings that do not fit
        raise DataError(f"{path}: not a stored {kind} ({str(error).splitlines()[0]}); train it again") from None
    return Stored(model, kind, model.missing if network else "refuse", _mean(model))


def _kind_of_npz(path: Path) -> str:
    try:
        with np.load(path, allow_pickle=False) as stored:
            return str(json.loads(str(stored["about"])).get("kind"))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: not a stored model ({error}); train it again, or name another file") from None


def _mean(model: Any) -> NDArray[np.float64] | None:
    """Mean spectrum by which a network standardises its input; raw flux is standardised by zeros."""
    values = getattr(getattr(model, "network", None), "mean", None)
    if values is None or not bool(values.any()):
        return None
    found: NDArray[np.float64] = values.detach().cpu().numpy().astype(np.float64)
    return found
