"""Boosted trees against plain calls of LightGBM and of scikit-learn, and their bins against each other."""

import lightgbm
import numpy as np
import pytest
import torch
from sklearn.tree import DecisionTreeRegressor
from threadpoolctl import threadpool_limits

from repro.errors import DataError, ParameterError
from repro.models import gbdt
from repro.models.gbdt import Bins, Gbdt
from repro.training.spectra import NoisySpectra, Validation, blocks

SETTINGS = {"trees": 30, "rate": 0.2, "leaves": 7, "share": 0.5}


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    with threadpool_limits(1):
        yield


def problem(n, pixels=20, seed=0, noise=0.5, size=0.1):
    """Noisy flux (n, P) float32 in which three numbers hide, and a curved function of two of them."""
    rng = np.random.default_rng(seed)
    signal = rng.normal(size=(n, 3))
    shapes = np.random.default_rng(99).normal(size=(3, pixels))
    flux = 0.5 + size * (signal @ shapes + noise * rng.normal(size=(n, pixels)))
    return flux.astype(np.float32), 3.0 + signal[:, 0] + 0.3 * signal[:, 1] ** 2


def validation(seed=5, n=200):
    return Validation(*problem(n, seed=seed))


def trees_of(text):
    """The part of LightGBM's text that holds the trees."""
    return text[: text.index("end of trees")]


@pytest.mark.parametrize("n", [400, 1500])
def test_trees_are_those_of_a_plain_call(n, monkeypatch, tmp_path):
    monkeypatch.setattr(gbdt, "EDGES", 1000)
    flux, y = problem(n)
    seen = validation()
    model = Gbdt(**SETTINGS, seed=3, bins=63).fit(flux, y, validation=seen)
    sorting = {"max_bin": 63, "enable_bundle": False, "feature_pre_filter": False, "verbosity": -1}
    growing = {
        "objective": "regression",
        "learning_rate": 0.2,
        "num_leaves": 7,
        "min_data_in_leaf": 20,
        "feature_fraction": 0.5,
        "seed": 3,
        "deterministic": True,
        "force_col_wise": True,
    }
    edges = lightgbm.Dataset(flux[:1000], y[:1000], params=sorting)
    train = edges if n <= 1000 else lightgbm.Dataset(flux, y, reference=edges, params=sorting)
    shown = lightgbm.Dataset(seen.flux, seen.y, reference=train, params=sorting)
    callbacks = [lightgbm.early_stopping(50, verbose=False)]
    theirs = lightgbm.train(sorting | growing, train, 30, valid_sets=[shown], callbacks=callbacks)
    model.save(tmp_path / "model.txt")
    assert trees_of((tmp_path / "model.txt").read_text()) == trees_of(theirs.model_to_string())
    assert model.best == theirs.best_iteration
    assert (model.predict(seen.flux) == theirs.predict(seen.flux)).all()
    assert model.importance("gain") == pytest.approx(theirs.feature_importance("gain"))
    assert (model.importance("split") == theirs.feature_importance("split")).all()


def test_one_tree_is_that_of_scikit_learn():
    """Least squares, best first, on a bin for each value: both codes then choose the same leaves."""
    flux, y = problem(240, pixels=3)
    flux = np.round(flux, 2)  # fewer values than bins
    assert max(len(np.unique(column)) for column in flux.T) < 200
    theirs = DecisionTreeRegressor(max_leaf_nodes=6, min_samples_leaf=gbdt.LEAST).fit(flux, y)
    ours = Gbdt(1, rate=1.0, leaves=6, share=1.0, bins=255).fit(flux, y)
    assert ours.predict(flux) == pytest.approx(theirs.predict(flux), abs=1e-6)
    rest = np.sum((y - y.mean()) ** 2) - np.sum((y - theirs.predict(flux)) ** 2)
    assert ours.importance().sum() == pytest.approx(rest, rel=1e-5)


def test_shared_bins_give_the_models_of_bins_of_their_own(monkeypatch):
    monkeypatch.setattr(gbdt, "EDGES", 200)
    flux, y = problem(900)
    shared, seen = Bins(flux), validation()
    for n, rate, seed, label in ((900, 0.2, 0, y), (300, 0.1, 1, y), (900, 0.3, 2, -2.0 * y), (200, 0.2, 0, y)):
        settings = SETTINGS | {"rate": rate, "seed": seed}
        alone = Gbdt(**settings).fit(flux[:n], label[:n], validation=seen)
        together = Gbdt(**settings).fit(shared.first(n), label[:n], validation=seen)
        assert (together.predict(seen.flux) == alone.predict(seen.flux)).all()
        assert (together.losses == alone.losses).all()
    assert np.ptp(alone.predict(seen.flux)) > 1.0
    with pytest.raises(DataError, match="bins of 900 spectra hold those of 200 and more of them, not of 100"):
        shared.first(100)


def test_a_source_gives_its_presentation_0(monkeypatch):
    monkeypatch.setattr(gbdt, "EDGES", 300)
    flux, y = problem(700)
    source = NoisySpectra(torch.from_numpy(flux), torch.full((700, 20), 0.1), 1.0, 7)
    shown = np.concatenate([block.numpy() for _, block in blocks(source, 0, rows=100)])
    streamed, at_once, noiseless = (Gbdt(**SETTINGS).fit(spectra, y) for spectra in (source, shown, flux))
    assert (streamed.predict(flux) == at_once.predict(flux)).all()
    assert (streamed.predict(flux) != noiseless.predict(flux)).any()


def test_the_number_of_trees_is_the_best_on_validation_data():
    flux, y = problem(300, noise=3.0)
    seen = Validation(*problem(200, seed=5, noise=3.0))
    told = []
    model = Gbdt(200, rate=0.3, patience=8, share=0.5, report=lambda *at: told.append(at))
    model.fit(flux, y, validation=seen)
    every = Gbdt(len(model.losses), rate=0.3, share=0.5).fit(flux, y)
    losses = [np.mean((every.predict(seen.flux, trees=k) - seen.y) ** 2) for k in range(1, every.best + 1)]
    assert model.losses == pytest.approx(losses, rel=1e-6)
    assert model.best == int(np.argmin(losses)) + 1
    assert len(model.losses) == model.best + 8 < 200
    assert every.losses.size == 0
    for trees in (1, model.best - 1, model.best):
        assert (model.predict(seen.flux, trees=trees) == every.predict(seen.flux, trees=trees)).all()
    assert (model.predict(seen.flux) == model.predict(seen.flux, trees=model.best)).all()
    assert told == [(k, 200) for k in range(1, model.best + 9)]


def test_units_do_not_matter():
    """On spectra of few digits other units are exact, and so are the bins."""
    flux, y = problem(600, size=0.03)
    seen = Validation(*problem(200, seed=5, size=0.03))
    assert min(flux.min(), seen.flux.min()) > 0  # LightGBM gives zero a bin of its own
    scale = 2.0 ** np.random.default_rng(1).integers(-3, 4, size=20).astype(np.float32)

    def rounded(x):
        return np.round(x * 4096) / 4096

    def other(x):
        return (rounded(x) + 4) * scale

    as_it_is = Gbdt(**SETTINGS).fit(rounded(flux), y, validation=seen._replace(flux=rounded(seen.flux)))
    changed = Gbdt(**SETTINGS).fit(other(flux), y, validation=seen._replace(flux=other(seen.flux)))
    assert np.ptp(as_it_is.losses) > 0
    assert (changed.losses == as_it_is.losses).all()
    assert (changed.predict(other(seen.flux)) == as_it_is.predict(rounded(seen.flux))).all()


def test_validation_spectra_in_other_units_stop_the_training_at_once():
    """The published comparison of input scalings."""
    flux, y = problem(600, size=0.01)
    seen, (test, truth) = (Validation(*problem(200, seed=5, size=0.01)), problem(300, seed=6, size=0.01))
    mean, deviation = flux.mean(axis=0), flux.std(axis=0)

    def standardised(x):
        return (x - mean) / deviation

    settings = SETTINGS | {"trees": 200, "rate": 0.05}
    as_it_is = Gbdt(**settings).fit(flux, y, validation=seen)
    alike = Gbdt(**settings).fit(standardised(flux), y, validation=seen._replace(flux=standardised(seen.flux)))
    left = Gbdt(**settings).fit(standardised(flux), y, validation=seen)
    r2 = [
        1.0 - np.mean((model.predict(x) - truth) ** 2) / np.var(truth)
        for model, x in ((as_it_is, test), (alike, standardised(test)), (left, standardised(test)))
    ]
    assert r2[0] > 0.85
    assert abs(r2[1] - r2[0]) < 0.02
    assert r2[2] < 0.5
    assert left.best < 10 < alike.best


def test_threads_change_nothing(tmp_path):
    flux, y = problem(1500)
    seen = validation()
    found = []
    for threads in (1, 2):  # few trees: threads that wait for each other are slow where the cores are taken
        with threadpool_limits(threads):
            model = Gbdt(4, leaves=7, share=0.5).fit(flux, y, validation=seen)
            model.save(tmp_path / f"{threads}.txt")
            found.append(model.predict(seen.flux))
    assert (tmp_path / "1.txt").read_bytes() == (tmp_path / "2.txt").read_bytes()
    assert (found[0] == found[1]).all()


def test_a_stored_model_is_the_same_model(tmp_path):
    flux, y = problem(300)
    model = Gbdt(60, rate=0.3, patience=5, share=0.5).fit(flux, y, validation=validation())
    assert model.best < len(model.losses)
    model.save(tmp_path / "one.txt")
    again = Gbdt.load(tmp_path / "one.txt")
    assert again.best == model.best
    assert (again.predict(flux) == model.predict(flux)).all()
    assert (again.importance() == model.importance()).all()
    again.save(tmp_path / "two.txt")
    assert trees_of((tmp_path / "one.txt").read_text()) == trees_of((tmp_path / "two.txt").read_text())
    text = (tmp_path / "one.txt").read_text()
    (tmp_path / "torn.txt").write_text(text[: len(text) // 2])
    (tmp_path / "other.txt").write_text("alpha: 3\n")
    (tmp_path / "bytes.txt").write_bytes(b"tree\nversion=\xff\xfe")
    for name in ("torn.txt", "other.txt", "bytes.txt", "absent.txt"):
        with pytest.raises(DataError, match=f"{name}: not a stored gbdt model"):
            Gbdt.load(tmp_path / name)


def test_what_cannot_be_fitted_is_refused(tmp_path):
    flux, y = problem(60, pixels=4)
    for settings in ({"trees": 0}, {"rate": 0.0}, {"leaves": 1}, {"share": 0.0}, {"share": 1.5}, {"patience": 0}):
        with pytest.raises(ParameterError, match=f"{next(iter(settings))} = "):
            Gbdt(**settings)
    for bins in (1, 256):
        with pytest.raises(ParameterError, match=f"bins = {bins} must lie in 2 to 255"):
            Bins(flux, bins=bins)
    model = Gbdt(3)
    with pytest.raises(DataError, match="not fitted"):
        model.predict(flux)
    with pytest.raises(DataError, match="not fitted"):
        model.save(tmp_path / "never.txt")
    with pytest.raises(DataError, match="y must hold 60 finite"):
        model.fit(flux, y[:-1])
    with pytest.raises(DataError, match="y must hold 60 finite"):
        model.fit(flux, np.where(y > 3.0, np.nan, y))
    with pytest.raises(DataError, match="flux must be finite"):
        model.fit(np.where(flux > 0.5, np.nan, flux), y)
    with pytest.raises(DataError, match="fitted to 4 pixels, asked about an array of shape"):
        model.fit(flux, y, validation=Validation(flux[:, :3], y))
    with pytest.raises(DataError, match="y of the validation spectra must hold 60"):
        model.fit(flux, y, validation=Validation(flux, y[:-2]))
    model.fit(flux, y)
    with pytest.raises(DataError, match="fitted to 4 pixels, asked about an array of shape"):
        model.predict(flux[:, :3])
    with pytest.raises(DataError, match="flux must be finite"):
        model.predict(np.full((2, 4), np.inf))
    with pytest.raises(ParameterError, match="4 trees are wanted of 3"):
        model.predict(flux, trees=4)
