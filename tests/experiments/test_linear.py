"""Arms of linear models on flux as it is, against scikit-learn and numpy on the same noisy spectra."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.cross_decomposition import PLSRegression
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

from repro.experiments import data as data_module
from repro.experiments import plan
from repro.experiments.data import Data
from repro.experiments.linear import levels
from repro.experiments.linear.family import linear_jobs
from repro.experiments.linear.shared import SharedMoments
from repro.experiments.plan import runs_and_sizes
from repro.training.spectra import as_source
from tests.experiments.linear_arms import DATA, LEVELS, PLAN, learnt, linear_table, row
from tests.experiments.small import small_data, write_sets


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def table():
    return linear_table()


def test_arms_are_those_of_the_plan_and_named_once(table):
    columns = (table.experiments, table.models, table.settings, table.train_noise, table.test_noise, table.n_train)
    keys = list(zip(*columns, table.seeds, strict=True))
    assert len(set(keys)) == len(keys)
    assert set(zip(table.experiments, table.models, strict=True)) == {
        ("alpha", "ridge"),
        ("alpha_edge", "ridge"),
        ("alpha_standardised", "ridge"),
        ("ols", "ols"),
        ("ols_cut", "ols"),
        ("pca", "pca_ridge"),
        ("pca_fixed", "pca_ridge"),
        ("pls", "pls"),
        ("cross_noise", "ridge"),
        ("topk", "ridge"),
        ("topk_clean", "ridge"),
        ("scaler", "ridge"),
        ("error_only", "ridge"),
        ("error_only", "ols"),
        ("metadata", "ols"),
    }
    published = {"alpha=0.001", "alpha=0.01", "alpha=0.1", *(f"alpha={a}" for a in (1, 10, 20, 50, 75, 100, 150, 200))}
    settings = {s for s, e in zip(table.settings, table.experiments, strict=True) if e == "alpha"}
    assert published | {"alpha=500", "alpha=1000", "alpha=1e+06"} <= settings
    assert len(settings) == 20
    for n, level, runs in ((20, 0.5, [0, 1]), (200, 0.5, [0]), (200, 0.1, [0, 1])):
        assert (
            table.seeds[table.rows(experiment="alpha", setting="alpha=1", n_train=n, train_noise=level)].tolist()
            == runs
        )
    assert table.rows(experiment="cross_noise", train_noise=1.2, test_noise=1.0, n_train=200).size == 2
    assert {table.settings[i] for i in table.rows(experiment="topk", n_train=100, train_noise=1.0, seed=1)} == {
        f"k={k}+selector={selector}" for k in (3, 8) for selector in ("0", "1", "random")
    }
    assert {table.settings[i] for i in table.rows(experiment="topk_clean", n_train=100, seed=1)} == {
        "k=3",
        "k=8",
        "k=24",
    }


@pytest.mark.parametrize("n", PLAN.sizes)
def test_penalties_of_all_levels_equal_scikit_learn(table, n):
    for level in LEVELS:  # only three of them are summed up, the others follow
        for alpha in (0.01, 1.0, 50.0):
            found = row(table, experiment="alpha", setting=f"alpha={alpha:g}", train_noise=level, n_train=n, seed=0)
            assert table.predictions[found] == pytest.approx(learnt(Ridge(alpha), level, n), abs=2e-4)
            validation = DATA.validation(level)
            estimate = Ridge(alpha).fit(DATA.noisy(level, n).astype(float), DATA.y[:n]).predict(validation.flux)
            score = 1.0 - np.mean((estimate - validation.y) ** 2) / np.var(validation.y)
            assert table.validation_r2[found] == pytest.approx(score, abs=2e-4)
    found = row(table, experiment="alpha", setting="alpha=1", train_noise=1.0, n_train=n, seed=1)
    assert table.predictions[found] == pytest.approx(learnt(Ridge(1.0), 1.0, n, run=1), abs=2e-4)


def test_standardised_penalties_equal_scikit_learn_and_translate(table):
    flux = DATA.noisy(1.0, 200).astype(float)
    scaled = StandardScaler().fit(flux)
    model = Ridge(1000.0).fit(scaled.transform(flux), DATA.y[:200])
    found = row(table, experiment="alpha_standardised", setting="alpha=1000", train_noise=1.0, n_train=200, seed=0)
    expected = model.predict(scaled.transform(DATA.test_flux(1.0).astype(float)))
    assert table.predictions[found] == pytest.approx(expected, abs=1e-5)
    assert table.fact(found, "pixel_variance") == pytest.approx(np.median(flux.var(axis=0)), rel=1e-6)
    assert {float(s.partition("=")[2]) for s in settings_of(table, "alpha_standardised")} == {
        float(f"{a:g}") for a in levels.STANDARDISED_ALPHAS
    }


def settings_of(table, experiment):
    return [table.settings[i] for i in table.rows(experiment=experiment, n_train=200, train_noise=1.0, seed=0)]


@pytest.mark.parametrize(("n", "level"), [(20, 1.0), (200, 1.0), (200, 0.0)])
def test_least_squares_equal_a_singular_value_decomposition_with_that_cut(table, n, level):
    flux, y = DATA.noisy(level, n).astype(float), DATA.y[:n]
    left, values, right = np.linalg.svd(flux - flux.mean(axis=0), full_matrices=False)
    for experiment, setting, cut in (
        ("ols", "cut=0", None),
        ("ols_cut", "cut=0", None),
        ("ols_cut", "cut=float32", max(n, 24) * 2.0**-23),
    ):
        found = row(table, experiment=experiment, setting=setting, train_noise=level, n_train=n, seed=0)
        rank = int(table.fact(found, "rank"))
        if cut is not None:
            assert rank == np.count_nonzero(values > cut * values[0])
        elif level:
            assert rank == min(n - 1, 24)
        coefficients = right[:rank].T @ (left[:, :rank].T @ (y - y.mean()) / values[:rank])
        expected = y.mean() + (DATA.test_flux(level) - flux.mean(axis=0)) @ coefficients
        assert table.predictions[found] == pytest.approx(expected, abs=1e-4 if level else 0.02)


def test_components_equal_scikit_learn(table):
    for level in (0.0, 1.0):
        for k in (2, 5):
            wanted = {"setting": f"k={k}", "train_noise": level, "n_train": 200, "seed": 0}
            found = row(table, experiment="pca", **wanted)
            basis = PCA(k).fit(DATA.noisy(level, 200).astype(float))
            assert table.fact(found, "variance") == pytest.approx(basis.explained_variance_ratio_.sum(), rel=1e-6)
            parts = basis.transform(DATA.noisy(level, 200).astype(float))
            paths = {a: Ridge(a).fit(parts, DATA.y[:200]) for a in plan.ALPHAS}
            validation = DATA.validation(level)
            errors = {
                a: np.mean((m.predict(basis.transform(validation.flux.astype(float))) - validation.y) ** 2)
                for a, m in paths.items()
            }
            alpha = min(errors, key=errors.get)
            assert table.fact(found, "alpha") == alpha
            expected = paths[alpha].predict(basis.transform(DATA.test_flux(level).astype(float)))
            assert table.predictions[found] == pytest.approx(expected, abs=1e-4)
            found = row(table, experiment="pls", **wanted)
            assert table.predictions[found] == pytest.approx(
                learnt(PLSRegression(k, scale=False), level, 200), abs=1e-4 if level else 1e-3
            )
    assert set(settings_of(table, "pca_fixed")) == {"k=2", "k=5"}  # 400 components are more than there are
    flux = DATA.noisy(1.0, 200).astype(float)
    scaled = StandardScaler().fit(flux)
    basis = PCA(5).fit(scaled.transform(flux))
    model = Ridge(1e5).fit(basis.transform(scaled.transform(flux)), DATA.y[:200])
    found = row(table, experiment="pca_fixed", setting="k=5", n_train=200, seed=0)
    expected = model.predict(basis.transform(scaled.transform(DATA.test_flux(1.0).astype(float))))
    assert table.predictions[found] == pytest.approx(expected, abs=1e-5)


def test_models_are_tested_at_other_levels_than_theirs(table):
    found = row(
        table, experiment="cross_noise", setting="choice=100", train_noise=1.2, test_noise=0.5, n_train=100, seed=1
    )
    assert table.predictions[found] == pytest.approx(learnt(Ridge(100.0), 1.2, 100, 1, tested=0.5), abs=1e-4)
    wanted = {"train_noise": 0.5, "n_train": 100, "seed": 0}
    path = table.rows(experiment="alpha", **wanted)
    best = path[np.argmax(table.validation_r2[path])]
    for tested in LEVELS:
        found = row(table, experiment="cross_noise", setting="choice=validation", test_noise=tested, **wanted)
        assert table.fact(found, "alpha") == table.fact(best, "alpha")
        expected = learnt(Ridge(table.fact(best, "alpha")), 0.5, 100, tested=tested)
        assert table.predictions[found] == pytest.approx(expected, abs=2e-4)


def test_pixels_are_those_of_the_largest_coefficients(table):
    wanted = {"n_train": 100, "seed": 1}
    for selector in (0.0, 1.0):
        path = table.rows(experiment="alpha", train_noise=selector, **wanted)
        alpha = table.fact(path[np.argmax(table.validation_r2[path])], "alpha")
        flux = DATA.noisy(selector, 100, 1).astype(float)
        order = np.argsort(-np.abs(Ridge(alpha).fit(flux, DATA.y[:100]).coef_))
        for level in (0.0, 1.0):
            setting = f"k=8+selector={selector:g}"
            found = row(table, experiment="topk", setting=setting, train_noise=level, **wanted)
            flux, test = DATA.noisy(level, 100, 1)[:, order[:8]], DATA.test_flux(level)[:, order[:8]]
            model = Ridge(table.fact(found, "alpha")).fit(flux.astype(float), DATA.y[:100])
            assert table.predictions[found] == pytest.approx(model.predict(test.astype(float)), abs=2e-4)
            assert table.fact(found, "alpha") in plan.ALPHAS
        if selector == 0.0:
            found = row(table, experiment="topk_clean", setting="k=8", **wanted)
            model = Ridge(100.0).fit(DATA.train.flux[:100][:, order[:8]].astype(float), DATA.y[:100])
            expected = model.predict(DATA.test_flux(1.0)[:, order[:8]].astype(float))
            assert table.predictions[found] == pytest.approx(expected, abs=1e-5)
    runs = table.rows(experiment="topk", setting="k=8+selector=random", train_noise=0.0, n_train=100)
    assert np.ptp(table.predictions[runs], axis=0).max() > 0.01  # without noise only the choice differs


def test_smaller_penalties_than_the_published_ones_equal_scikit_learn(table):
    found = row(table, experiment="alpha_edge", setting="alpha=1e-05", n_train=200, seed=0)
    assert table.predictions[found] == pytest.approx(learnt(Ridge(1e-5), 0.0, 200), abs=1e-3)
    assert set(table.train_noise[table.rows(experiment="alpha_edge")]) == {0.0}


def test_runs_go_size_by_size_so_that_noise_is_drawn_once():
    assert list(runs_and_sizes(PLAN)) == [(0, 20), (0, 100), (0, 200), (1, 20), (1, 100), (1, 200)]


def test_each_job_makes_the_same_arms_alone(table):
    jobs = {job.name: job for job in linear_jobs(small_data(), PLAN, LEVELS)}
    assert len(jobs) == len(linear_jobs(DATA, PLAN, LEVELS))
    done = 0
    for name in ("level0.2_n100_run1", "topk_n20_run1", "scaler_run1", "error_drawn_n100_run1"):
        for arm in jobs[name].make():
            wanted = {n: getattr(arm, n) for n in ("experiment", "model", "setting", "train_noise", "test_noise")}
            found = row(table, **wanted, n_train=arm.n_train, seed=arm.seed)
            assert (table.predictions[found] == np.float32(arm.prediction)).all()
            done += 1
    assert done > 70


def test_spectra_that_stay_in_their_file_give_the_same_arms(tmp_path, monkeypatch):
    few = SimpleNamespace(sizes=(16, 32), seeds=1, repeated=(1.0,), components=(3,), pixels=(5,))
    write_sets(tmp_path)
    names = ("level0.5_n32_run0", "scaler_run0", "error_n32", "error_fixed_n16", "error_drawn_n16_run0")

    def arms():
        data = Data(tmp_path, 42, 2.0)
        jobs = {job.name: job for job in linear_jobs(data, few, (0.5, 1.0))}
        return data, [arm for name in names for arm in jobs[name].make()]

    remembered, at_hand = arms()
    monkeypatch.setattr(data_module, "_REMEMBERED", 1000)
    streamed, from_file = arms()
    assert "train" in remembered.__dict__
    assert "train" not in streamed.__dict__  # never in memory as a whole
    assert len(at_hand) == len(from_file) > 50
    for one, other in zip(at_hand, from_file, strict=True):
        assert one.setting == other.setting
        assert other.prediction == pytest.approx(one.prediction, abs=1e-6)


def test_three_passes_give_all_levels(monkeypatch):
    shown = []
    monkeypatch.setattr(
        type(DATA), "shown", lambda self, level, n, run=0: shown.append(level) or as_source(self.noisy(level, n, run))
    )
    shared = SharedMoments(DATA, PLAN, LEVELS)
    for level in shared.trained(200, 0):
        shared.at(level, 200, 0)
    assert sorted(shown) == [0.0, 1.0, 2.0]
    assert shared.trained(200, 1) == (0.1, 1.0)
    shown.clear()
    for level in shared.trained(200, 1):
        shared.at(level, 200, 1)
    assert sorted(shown) == [0.1, 1.0]
