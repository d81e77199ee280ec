"""The models of Track C: what they share, what they write, and how they continue."""

import numpy as np
import pytest
import torch

from repro.models.baselines import Labelled, train_baselines
from repro.models.mlp import Mlp
from repro.models.ridge import Ridge
from repro.training.loop import Recipe
from repro.training.spectra import NoisySpectra
from tests.training.learnable import NOISE, noise_free, validation

RECIPE = Recipe(epochs=2, batch=32)
WEIGHTS = {"": None, "_weighted": np.linspace(0.1, 1.9, 200)}


def data():
    return Labelled(*noise_free(200, 0), NOISE)


def run(**others):
    return train_baselines(data(), validation(), WEIGHTS, (7, 8), RECIPE, **others)


def test_every_model_is_the_one_that_is_trained_alone(tmp_path):
    models = run(folder=tmp_path)
    assert {name: len(members) for name, members in models.items()} == {
        "ridge": 1,
        "ridge_weighted": 1,
        "mlp": 2,
        "mlp_weighted": 2,
    }
    train, flux = data(), validation().flux
    tensors = [torch.from_numpy(array) for array in (train.flux, train.error)]
    for run_number, seed in enumerate((7, 8)):
        source = NoisySpectra(*tensors, NOISE, seed)
        for name, weight in WEIGHTS.items():
            given = {"validation": validation(), "sample_weight": weight}
            alone = Mlp(RECIPE, seed=seed).fit(source, train.y, **given)
            assert (models[f"mlp{name}"][run_number].predict(flux) == alone.predict(flux)).all()
            assert (Mlp.load(tmp_path / f"mlp{name}_seed{seed}.safetensors").predict(flux) == alone.predict(flux)).all()
            if run_number == 0:
                straight = Ridge().fit(source, train.y, **given)
                assert (models[f"ridge{name}"][0].predict(flux) == straight.predict(flux)).all()
                assert (Ridge.load(tmp_path / f"ridge{name}_seed7.npz").predict(flux) == straight.predict(flux)).all()
    assert len((tmp_path / "mlp_weighted_seed8.csv").read_text().splitlines()) == 3


def test_two_runs_leave_the_same_files(tmp_path):
    for name in ("one", "two"):
        run(folder=tmp_path / name)
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert len(files) == 2 + 4 + 4  # ridge, perceptrons and their histories
    for name in files:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_progress_grows_to_the_end_and_an_interrupted_run_continues(tmp_path):
    seen = []

    def interrupt(done, total):
        seen.append((done, total))
        if len(seen) == 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(checkpoints=tmp_path, report=interrupt)
    assert list(tmp_path.glob("*.npz"))
    after = []
    models = run(checkpoints=tmp_path, report=lambda done, total: after.append((done, total)))
    assert not list(tmp_path.glob("*.npz"))
    done = [count for count, _ in seen] + [count for count, _ in after]
    assert done[len(seen) :] == sorted(done[len(seen) :])
    assert after[-1] == (200 * 2 * (1 + 2 * 2),) * 2
    assert len(after) < len(_all_reports())  # epochs that were done are not done again
    flux = validation().flux
    assert all(
        (one.predict(flux) == two.predict(flux)).all() for one, two in zip(models["mlp"], run()["mlp"], strict=True)
    )


def _all_reports():
    seen = []
    run(report=lambda done, total: seen.append(done))
    return seen
