"""Arms of networks: what is compared differs in what is compared alone; what the table says of each."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from repro.errors import ParameterError
from repro.experiments import networks as module
from repro.experiments.networks import network_jobs
from repro.models.cnn import Cnn
from repro.models.mlp import Mlp
from repro.models.residual import ResidualMlp
from repro.training.loop import Recipe
from repro.training.spectra import NoisySpectra, Validation
from tests.experiments.small import small_data

DATA = small_data()
PLAN = SimpleNamespace(
    seeds=2,
    network_sizes=(32, 128),
    network_levels=(0.1, 1.0),
    epochs=2,
    cnn_size=32,
    cnn_batch=16,
    cnn_kernels=(9, 21),
    cnn_rates=(0.001, 0.003),
    cnn_steps=(3,),
    validation_sizes=(8, 72),
)


@pytest.fixture(autouse=True)
def wide_learning_rate(monkeypatch):
    """Fewer spectra than any matrix has are learnt from."""
    monkeypatch.setattr(module, "SMALLEST", 1)


def jobs(**changed):
    return {job.name: job for job in network_jobs(DATA, SimpleNamespace(**(vars(PLAN) | changed)))}


def made(name, **changed):
    return list(jobs(**changed)[name].make())


def r2(estimates, truth):
    return 1.0 - np.mean((estimates - truth) ** 2) / np.var(truth)


def test_the_matrix_has_these_arms():
    names = list(jobs())
    cell = "kernel={}+rate={}+steps=3+pool={}-{}-{}".format
    published = [
        cell(9, 0.003, pool, level, run) for run in (0, 1) for level in (0.1, 1) for pool in ("average", "flatten")
    ]
    others = (9, 0.001), (21, 0.001), (21, 0.003)
    swept = [cell(k, rate, "average", 0.1, run) for run in (0, 1) for k, rate in others]
    perceptrons = [f"mlp-{level}-{n}-{run}" for run in (0, 1) for level in (0.1, 1) for n in (32, 128)]
    assert sorted(names) == sorted([*published, *swept, *perceptrons, "validation-0", "validation-1"])
    runs = [name.rsplit("-", 1)[1] for name in names]
    assert runs == sorted(runs)  # the noise of a run is drawn once


def test_direct_and_residual_networks_share_recipe_noise_and_seed():
    """Each arm again by a model of its own, on presentations that nobody shares."""
    arms = made("mlp-1-128-1")
    flux, error = (torch.from_numpy(values[:128]) for values in (DATA.train.flux, DATA.train.error))
    source, y, validation = NoisySpectra(flux, error, 2.0, 43), DATA.y[:128], DATA.validation(1.0)
    recipe = Recipe(epochs=2, batch=128)
    models = [Mlp(recipe, seed=43), ResidualMlp(recipe, seed=43)]
    for arm, model in zip(arms, models, strict=False):
        model.fit(source, y, validation=validation)
        assert (arm.prediction == model.predict(DATA.test_flux(1.0))).all()
        assert arm.validation_r2 == pytest.approx(r2(model.predict(validation.flux), validation.y), abs=1e-6)
        assert arm.facts["parameters"] == model.parameters
    assert [(arm.model, arm.setting) for arm in arms] == [
        ("mlp", ""),
        ("residual_mlp", "ridge=out_of_fold"),
        ("residual_mlp", "ridge=in_sample"),
    ]
    assert all((arm.train_noise, arm.test_noise, arm.n_train, arm.seed) == (1.0, 1.0, 128, 1) for arm in arms)
    assert (arms[1].prediction != arms[2].prediction).any()


def test_the_published_residuals_are_there_at_the_published_level_alone():
    assert [arm.setting for arm in made("mlp-0.1-32-0")] == ["", "ridge=out_of_fold"]


def test_every_size_has_as_many_updates():
    small, large = (made(f"mlp-0.1-{n}-0", epochs=3)[0] for n in (32, 128))
    assert small.facts["steps"] == large.facts["steps"] == 3


def test_convolutional_networks_differ_in_what_their_setting_says():
    settings = {"average": 27_457, "flatten": 64 * 12 * 128 + 18_816 + 192 + 128 + 129}
    for pool, parameters in settings.items():
        name = f"kernel=9+rate=0.003+steps=3+pool={pool}"
        (arm,) = made(f"{name}-1-1")
        assert (arm.experiment, arm.model, arm.setting) == ("cnn", "cnn", name)
        assert arm.facts == {"parameters": parameters, "steps": 3, "epochs": arm.facts["epochs"]}
        flux, error = (torch.from_numpy(values[:32]) for values in (DATA.train.flux, DATA.train.error))
        model = Cnn(Recipe(steps=3, batch=16, learning_rate=0.003), kernel=9, pool=pool, seed=43)
        model.fit(NoisySpectra(flux, error, 2.0, 43), DATA.y[:32], validation=DATA.validation(1.0))
        assert (arm.prediction == model.predict(DATA.test_flux(1.0))).all()


def test_validation_sets_of_all_sizes_choose_among_the_epochs_of_one_training():
    """Against a training of its own with each of them."""
    arms = made("validation-1", epochs=8)
    assert [arm.setting for arm in arms] == ["validation=8", "validation=72"]
    held_out = DATA.held_out(1.0, 72, run=1)
    flux, error = (torch.from_numpy(values[:128]) for values in (DATA.train.flux, DATA.train.error))
    for arm, size in zip(arms, PLAN.validation_sizes, strict=True):
        assert (arm.experiment, arm.model, arm.n_train, arm.train_noise) == ("validation_size", "mlp", 128, 1.0)
        model = Mlp(Recipe(epochs=8, batch=128), seed=43)
        seen = Validation(held_out.flux[:size], held_out.y[:size])
        model.fit(NoisySpectra(flux, error, 2.0, 43), DATA.y[:128], validation=seen)
        assert arm.prediction == pytest.approx(model.predict(DATA.test_flux(1.0)), abs=1e-6)
        assert arm.facts["epochs"] == max(model.history, key=lambda row: row.validation_r2).epoch


def test_an_interrupted_job_continues_its_trainings(tmp_path, monkeypatch):
    plan = SimpleNamespace(**(vars(PLAN) | {"epochs": 3}))
    name = "mlp-1-32-0"

    def job():
        return next(job for job in network_jobs(DATA, plan, checkpoints=tmp_path / "at_work") if job.name == name)

    whole = job().make()
    assert not any((tmp_path / "at_work").iterdir())  # nothing is left behind
    begun = []

    class Killed(ResidualMlp):
        def fit(self, *args, **others):
            begun.append(self)
            if len(begun) == 2:
                raise KeyboardInterrupt
            return super().fit(*args, **others)

    with monkeypatch.context() as patch:
        patch.setattr(module, "ResidualMlp", Killed)
        with pytest.raises(KeyboardInterrupt):
            job().make()
    left = sorted(path.name for path in (tmp_path / "at_work" / name).iterdir())
    assert left == ["direct.npz", "ridge=out_of_fold.npz"]
    epochs = []
    with monkeypatch.context() as patch:
        patch.setattr("repro.training.work._validation_scores", lambda *_: epochs.append(1) or (0.5, 0.5))
        job().make()
    assert len(epochs) == 3  # of the third network alone
    assert [(arm.prediction == again.prediction).all() for arm, again in zip(whole, job().make(), strict=True)] == [
        True
    ] * 3


def test_a_plan_without_spectra_to_learn_from_is_refused():
    with pytest.raises(ParameterError, match="200 validation spectra from 200 leave none to learn from"):
        network_jobs(replace(DATA), SimpleNamespace(**(vars(PLAN) | {"validation_sizes": (8, 200)})))
