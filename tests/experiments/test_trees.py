"""Arms of boosted trees on small data, against plain calls of LightGBM on the same noisy spectra."""

from functools import cache
from pathlib import Path
from types import SimpleNamespace

import lightgbm
import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from repro.experiments import trees
from repro.experiments.trees import tree_jobs
from repro.models import gbdt
from repro.models.ridge import ALPHAS, Ridge
from tests.experiments.small import SmallData

LEVELS = (0.0, 0.1, 1.0, 2.0)
PLAN = SimpleNamespace(
    sizes=(100, 300, 500),
    seeds=2,
    repeated=(1.0,),
    pixels=(3, 6, 400),
    trees=120,
    tree_share=0.25,
    tree_bins=31,
    tree_rates=(0.1, 0.3),
    tree_leaves=(4, 8),
)
DATA = SmallData(Path("absent"), 42, 0.5, sizes=(500, 150, 200))


@pytest.fixture(autouse=True, scope="module")
def one_thread_and_few_edges():
    with threadpool_limits(1), pytest.MonkeyPatch.context() as patch:
        for module in (gbdt, trees):
            patch.setattr(module, "EDGES", 100)
        yield


@cache
def arms():
    """All arms by what they are."""
    found = [arm for job in tree_jobs(DATA, PLAN, LEVELS) for arm in job.make()]
    named = {key(arm): arm for arm in found}
    assert len(named) == len(found)
    return named


def key(arm):
    return arm.experiment, arm.setting, arm.train_noise, arm.test_noise, arm.n_train, arm.seed


def plain(x, y, seen, rate=0.3, leaves=8, seed=42, share=0.25):
    """LightGBM itself, with 120 trees at most, and early stopping where it is shown validation spectra."""
    sorting = {"max_bin": 31, "enable_bundle": False, "feature_pre_filter": False, "verbosity": -1}
    growing = {"objective": "regression", "learning_rate": rate, "num_leaves": leaves, "feature_fraction": share}
    growing |= {"deterministic": True, "force_col_wise": True, "seed": seed}
    edges = lightgbm.Dataset(x[:100], y[:100], params=sorting)
    train = lightgbm.Dataset(x, y, reference=edges, params=sorting) if len(x) > 100 else edges
    if seen is None:
        return lightgbm.train(sorting | growing, train, 50)
    shown = lightgbm.Dataset(*seen, reference=train, params=sorting)
    stop = lightgbm.early_stopping(50, verbose=False)
    return lightgbm.train(sorting | growing, train, 120, valid_sets=[shown], callbacks=[stop])


def r2(estimates, truth):
    return 1.0 - np.mean((estimates - truth) ** 2) / np.var(truth)


def test_arms_are_those_of_the_plan():
    settings = {"rate=0.3+leaves=8"}
    rates = settings | {"rate=0.1+leaves=8"}
    grid = rates | {"rate=0.1+leaves=4", "rate=0.3+leaves=4"}
    expected = set()
    for level in LEVELS:
        for n in PLAN.sizes:
            for run in range(2):
                if n == 500 and run == 1 and level != 1.0:
                    continue
                every = settings if n != 300 else grid if (level, run) == (1.0, 0) else rates
                expected |= {("trees", name, level, level, n, run) for name in every}
    expected |= {("cross_noise", "", a, b, 300, run) for a in (0.0, 1.0, 1.2) for b in LEVELS for run in range(2)}
    selectors = ("gain", "ridge", "random")
    expected |= {("topk", f"k={k}+selector={s}", 1.0, 1.0, 300, r) for k in (3, 6) for s in selectors for r in range(2)}
    forms = ({"raw", "standardised", "centred", "scaled", "snr", "snr_centred"}, {"raw", "standardised", "snr"})
    for run, names in enumerate((forms[0], forms[1] | {"snr_centred"})):
        kinds = {(name, kind) for name in names for kind in ("transformed", "raw")} - {("raw", "raw")}
        expected |= {("scaler", f"input={name}+validation={kind}", 1.0, 1.0, 300, run) for name, kind in kinds}
    errors = [(100, 0), (100, 1), (300, 0), (300, 1), (500, 0)]
    expected |= {("error_only", "input=error", 0.0, 0.0, n, run) for n, run in errors}
    assert {found for found in arms() if found[0] != "trees_fixed"} == expected
    assert {arm.model for arm in arms().values()} == {"lightgbm"}


@pytest.mark.parametrize(
    ("level", "n", "run", "rate", "leaves"),
    [(0.1, 100, 1, 0.3, 8), (1.0, 300, 0, 0.1, 4), (2.0, 500, 0, 0.3, 8), (1.0, 500, 1, 0.3, 8)],
)
def test_trees_are_those_of_plain_calls(level, n, run, rate, leaves):
    x, y, seen = DATA.noisy(level, n, run), DATA.y[:n], DATA.validation(level)
    theirs = plain(x, y, seen[:2], rate, leaves, seed=42 + run)
    name = f"rate={rate:g}+leaves={leaves}"
    arm = arms()["trees", name, level, level, n, run]
    assert (arm.prediction == theirs.predict(DATA.test_flux(level))).all()
    assert arm.validation_r2 == pytest.approx(r2(theirs.predict(seen.flux), seen.y), abs=1e-12)
    capped = float(theirs.best_iteration > 120 - 50)  # early stopping had not ended it
    assert arm.facts == {"trees": theirs.best_iteration, "capped": capped, "share": 0.25, "bins": 31}
    cut = arms().get(("trees_fixed", f"{name}+trees=50", level, level, n, run))
    assert (cut is None) == (theirs.best_iteration < 50)
    if cut is not None:
        fixed = plain(x, y, None, rate, leaves, seed=42 + run)
        assert (cut.prediction == fixed.predict(DATA.test_flux(level))).all()
        assert cut.validation_r2 == pytest.approx(r2(fixed.predict(seen.flux), seen.y), abs=1e-12)
        assert cut.facts["trees"] == 50


def test_some_trees_stopped_and_some_did_not():
    counts = {arm.facts["trees"] for found, arm in arms().items() if found[0] == "trees"}
    assert 1 < min(counts) < 50 < 120 == max(counts)


def test_a_job_alone_makes_the_same_arms():
    jobs = {job.name: job for job in tree_jobs(DATA, PLAN, LEVELS)}
    for name in ("noise1_n300_run1", "topk_n300_run0"):
        for arm in jobs[name].make():
            assert (arm.prediction == arms()[key(arm)].prediction).all()


def test_models_are_tested_at_other_noise():
    for run in range(2):
        own = arms()["trees", "rate=0.3+leaves=8", 1.0, 1.0, 300, run]
        assert (arms()["cross_noise", "", 1.0, 1.0, 300, run].prediction == own.prediction).all()
        x, seen = DATA.noisy(1.2, 300, run), DATA.validation(1.2)
        theirs = plain(x, DATA.y[:300], seen[:2], seed=42 + run)
        arm = arms()["cross_noise", "", 1.2, 2.0, 300, run]
        assert (arm.prediction == theirs.predict(DATA.test_flux(2.0))).all()
        assert arm.validation_r2 == pytest.approx(r2(theirs.predict(seen.flux), seen.y), abs=1e-12)


@pytest.mark.parametrize("selector", ["gain", "ridge", "random"])
@pytest.mark.parametrize("k", [3, 6])
def test_chosen_pixels_are_the_first_of_their_order(selector, k):
    run = 1
    x, y, seen = DATA.noisy(1.0, 300, run), DATA.y[:300], DATA.validation(1.0)
    if selector == "gain":
        weights = plain(x, y, seen[:2], seed=43).feature_importance("gain")
    elif selector == "ridge":
        weights = np.abs(Ridge(ALPHAS).fit(x, y, validation=seen).coefficients)
    else:
        weights = -np.argsort(np.random.default_rng(43).permutation(24))
    chosen = np.sort(np.argsort(-np.asarray(weights, dtype=float))[:k])
    theirs = plain(x[:, chosen], y, (seen.flux[:, chosen], seen.y), seed=43, share=min(1.0, 0.25 * 24 / k))
    arm = arms()["topk", f"k={k}+selector={selector}", 1.0, 1.0, 300, run]
    assert (arm.prediction == theirs.predict(DATA.test_flux(1.0)[:, chosen])).all()
    assert arm.facts["share"] == 1.0


def test_chosen_pixels_hold_the_lines():
    truth = DATA.test.y
    scores = {
        s: r2(arms()["topk", f"k=6+selector={s}", 1.0, 1.0, 300, 0].prediction, truth) for s in ("gain", "random")
    }
    assert scores["gain"] > scores["random"] + 0.1


def test_inputs_are_scaled_as_they_are_called():
    x, seen = DATA.noisy(1.0, 300, 1), DATA.validation(1.0)
    fluxes, mean = (x, seen.flux, DATA.test_flux(1.0)), x.astype(float).mean(axis=0).astype(np.float32)
    errors = [np.float32(0.5) * error for error in (DATA.train.error[:300], DATA.val.error, DATA.test.error)]
    shown = {
        "standardised": [StandardScaler().fit(x).transform(flux) for flux in fluxes],
        "snr": [flux / error for flux, error in zip(fluxes, errors, strict=True)],
        "snr_centred": [(flux - mean) / error for flux, error in zip(fluxes, errors, strict=True)],
    }
    for name, (train, validation, test) in shown.items():
        for kind, flux in (("transformed", validation), ("raw", seen.flux)):
            theirs = plain(train, DATA.y[:300], (flux, seen.y), seed=43)
            arm = arms()["scaler", f"input={name}+validation={kind}", 1.0, 1.0, 300, 1]
            # other roundings may move a value over the edge of its bin
            assert np.median(np.abs(arm.prediction - theirs.predict(test))) < 0.02, (name, kind)
            assert arm.facts["trees"] == pytest.approx(theirs.best_iteration, abs=12), (name, kind)


def test_other_forms_are_harmless_but_for_validation_spectra_left_raw():
    own = arms()["trees", "rate=0.3+leaves=8", 1.0, 1.0, 300, 0]
    for name in ("raw", "standardised", "centred", "scaled"):
        arm = arms()["scaler", f"input={name}+validation=transformed", 1.0, 1.0, 300, 0]
        assert r2(arm.prediction, DATA.test.y) == pytest.approx(r2(own.prediction, DATA.test.y), abs=0.08)
        if name != "raw":
            left = arms()["scaler", f"input={name}+validation=raw", 1.0, 1.0, 300, 0]
            assert left.facts["trees"] < arm.facts["trees"]
            assert r2(left.prediction, DATA.test.y) < r2(arm.prediction, DATA.test.y)
    assert (arms()["scaler", "input=raw+validation=transformed", 1.0, 1.0, 300, 0].prediction == own.prediction).all()


def test_errors_alone_are_those_of_the_stars():
    error, seen = DATA.train.error[:300], (DATA.val.error, DATA.val.y)
    arm = arms()["error_only", "input=error", 0.0, 0.0, 300, 1]
    assert (arm.prediction == plain(error, DATA.y[:300], seen, seed=43).predict(DATA.test.error)).all()
