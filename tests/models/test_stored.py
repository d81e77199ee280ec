"""Any stored model is found by what its file says."""

from pathlib import Path

import numpy as np
import pytest
import torch

from repro.errors import DataError, ParameterError
from repro.models.cnn import Cnn
from repro.models.gbdt import Gbdt
from repro.models.mlp import Mlp
from repro.models.stored import load_model
from repro.models.vit import Shape, Vit
from repro.training.recipe import Recipe
from repro.training.spectra import Validation
from repro.training.state import write_state
from repro.training.weights import read_about, read_weights, write_weights
from tests.observed.stars import model as line_reader

PIXELS = 64
RNG = np.random.default_rng(0)
FLUX = RNG.normal(1.0, 0.1, (64, PIXELS)).astype(np.float32)
Y = FLUX[:, 3].astype(float)
SHOWN = Validation(FLUX[:16], Y[:16])
ONCE = Recipe(epochs=1, batch=32)


def test_networks_linear_models_and_trees_predict_as_before_they_were_stored(tmp_path: Path) -> None:
    vit = Vit(ONCE, shape=Shape(patch=16, stride=16, width=8, depth=1, heads=2))
    models = {
        "mlp model": Mlp(ONCE, widths=(4,)).fit(FLUX, Y, validation=SHOWN),
        "cnn model": Cnn(ONCE, channels=(2, 2)).fit(FLUX, Y, validation=SHOWN),
        "vit model": vit.fit(FLUX, Y, validation=SHOWN),
        "gbdt model": Gbdt(trees=3, bins=15).fit(FLUX, Y),
    }
    for kind, model in models.items():
        path = tmp_path / f"{kind}{model.suffix}"
        model.save(path)
        stored = load_model(path)
        assert (stored.kind, stored.missing) == (kind, "refuse")
        assert np.array_equal(stored.model.predict(FLUX), model.predict(FLUX))
    line_reader().save(tmp_path / "line.npz")
    flux = RNG.random((2, 4096))
    assert np.array_equal(load_model(tmp_path / "line.npz").model.predict(flux), line_reader().predict(flux))


def test_a_standardised_network_tells_its_mean_spectrum_and_a_raw_one_none(tmp_path: Path) -> None:
    Mlp(ONCE, widths=(4,)).fit(FLUX, Y, validation=SHOWN).save(tmp_path / "mlp.safetensors")
    mean = load_model(tmp_path / "mlp.safetensors").mean
    assert mean is not None
    assert np.allclose(mean, FLUX.mean(axis=0), atol=1e-6)
    vit = Vit(ONCE, shape=Shape(patch=16, stride=16, width=8, depth=1, heads=2, inputs="raw"))
    vit.fit(FLUX, Y, validation=SHOWN).save(tmp_path / "vit.safetensors")
    assert load_model(tmp_path / "vit.safetensors").mean is None


def test_a_network_declares_what_becomes_of_missing_pixels(tmp_path: Path) -> None:
    line_reader().save(tmp_path / "line.npz")
    assert load_model(tmp_path / "line.npz").missing == "refuse"
    path = tmp_path / "mlp.safetensors"
    Mlp(ONCE, widths=(4,)).fit(FLUX, Y, validation=SHOWN).save(path)
    assert "missing" not in read_about(path)  # so that files written before keep their bytes
    Mlp(ONCE, widths=(4,), missing="mask").fit(FLUX, Y, validation=SHOWN).save(path)
    assert load_model(path).missing == "mask"
    Mlp.load(path).save(tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == path.read_bytes()
    weights, about = read_weights(path, "mlp model")
    write_weights(path, weights, about | {"missing": "guess"})
    with pytest.raises(DataError, match=r"mlp.safetensors: .*missing = 'guess' must be refuse or mask"):
        load_model(path)
    with pytest.raises(ParameterError, match="mlp: missing = 'guess' must be refuse or mask"):
        Mlp(missing="guess")  # type: ignore[arg-type]


def test_files_that_hold_no_model_are_refused(tmp_path: Path) -> None:
    write_weights(tmp_path / "other.safetensors", {"x": torch.zeros(1)}, {"kind": "checkpoint"})
    write_weights(tmp_path / "hollow.safetensors", {"x": torch.zeros(1)}, {"kind": "mlp model", "offset": 0, "unit": 1})
    (tmp_path / "torn.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0{}")
    (tmp_path / "torn.txt").write_text("tree\nversion=v4\n")
    write_state(tmp_path / "other.npz", {"a": np.zeros(2)}, {"kind": "template model"})
    np.savez(tmp_path / "pickled.npz", about=np.array([{"kind": "ridge model"}], dtype=object))
    cases = {
        "other.safetensors": "holds a checkpoint; known in such files are vit model",
        "hollow.safetensors": "not a stored mlp model",
        "torn.safetensors": "not a stored model",
        "torn.txt": "not a stored gbdt model",
        "other.npz": "holds a template model",
        "pickled.npz": "not a stored model",
        "nowhere.npz": "no such file",
    }
    for name, message in cases.items():
        with pytest.raises(DataError, match=message) as caught:
            load_model(tmp_path / name)
        assert name in str(caught.value)
