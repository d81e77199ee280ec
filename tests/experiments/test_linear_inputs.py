"""Arms of linear models on scaled flux, errors and headers, against scikit-learn, numpy and scipy."""

import numpy as np
import pytest
import torch
from scipy.ndimage import uniform_filter1d
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

from repro.experiments.inputs import FORMS
from repro.experiments.linear import error_only
from repro.training.spectra import as_source
from tests.experiments.linear_arms import DATA, linear_table, row


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def table():
    return linear_table()


def r2(table, found):
    return 1.0 - np.mean((table.predictions[found] - table.truth) ** 2) / np.var(table.truth)


def test_inputs_are_scaled_as_they_are_called(table):
    flux, y = DATA.noisy(1.0, 100).astype(float), DATA.y[:100]
    mean, deviation = flux.mean(axis=0), flux.std(axis=0)
    forms = {
        "raw": lambda x, e: x,
        "standardised": lambda x, e: (x - mean) / deviation,
        "centred": lambda x, e: x - mean,
        "scaled": lambda x, e: x / deviation,
        "snr": lambda x, e: x / e,
        "snr_centred": lambda x, e: (x - mean) / e,
    }
    assert tuple(forms) == tuple(FORMS)
    errors = [2.0 * error for error in (DATA.train.error[:100], DATA.test.error)]  # published level 1 under noise 2
    for name, form in forms.items():
        x, test = form(flux, errors[0]), form(DATA.test_flux(1.0), errors[1])
        wanted = {"experiment": "scaler", "model": "ridge", "n_train": 100, "seed": 0}
        found = row(table, setting=f"input={name}", **wanted)
        expected = Ridge(table.fact(found, "alpha")).fit(x, y).predict(test)
        assert table.predictions[found] == pytest.approx(expected, abs=2e-4)
        assert table.fact(found, "uses_error") == name.startswith("snr")
        scaled = StandardScaler().fit(x)
        expected = Ridge(1e5).fit(scaled.transform(x), y).predict(scaled.transform(test))
        found = row(table, setting=f"input={name}+restandardised=yes", **wanted)
        assert table.predictions[found] == pytest.approx(expected, abs=1e-5)
    assert len(table.rows(experiment="scaler", seed=1)) == 4


def test_errors_alone_equal_scikit_learn(table):
    model = Ridge(1e-3).fit(DATA.train.error[:100].astype(float), DATA.y[:100])
    wanted = {"experiment": "error_only", "train_noise": 0.0, "test_noise": 0.0, "n_train": 100}
    found = row(table, setting="input=error+alpha=0.001", **wanted)
    assert table.predictions[found] == pytest.approx(model.predict(DATA.test.error.astype(float)), abs=1e-4)
    scaled = StandardScaler().fit(DATA.train.error[:100].astype(float))
    model = Ridge(0.1).fit(scaled.transform(DATA.train.error[:100].astype(float)), DATA.y[:100])
    found = row(table, setting="input=standardised+alpha=0.1", **wanted)
    expected = model.predict(scaled.transform(DATA.test.error.astype(float)))
    assert table.predictions[found] == pytest.approx(expected, abs=1e-4)
    assert table.rows(experiment="error_only", model="ols", n_train=200).size == 2
    assert set(table.n_train[table.rows(setting="input=shuffled+alpha=0.001")]) == {20, 100}


def test_controls_of_the_errors_find_nothing_where_there_is_nothing(table):
    best = {}
    for name in ("error", "permuted", "shuffled", "smoothed"):
        rows = [i for i in table.rows(n_train=100) if table.settings[i].startswith(f"input={name}+alpha")]
        best[name] = r2(table, max(rows, key=lambda i: table.validation_r2[i]))
    assert best["error"] > 0.9
    assert abs(best["permuted"]) < 0.1
    assert best["shuffled"] < 0.3
    assert best["smoothed"] < 0.5


def test_shuffled_errors_keep_their_values_and_lose_their_places():
    error = DATA.test.error
    mixed = error_only.shuffled(error, 42, 2)
    assert (np.sort(mixed, axis=1) == np.sort(error, axis=1)).all()
    assert (mixed[:5] == error_only.shuffled(error[:5], 42, 2)).all()
    places = np.argsort(mixed, axis=1)
    assert len({tuple(order) for order in places}) == len(error)


def test_statistics_are_ten_known_numbers():
    error = DATA.test.error.astype(np.float64)
    found = error_only.statistics(torch.from_numpy(error)).numpy()
    quantiles = np.quantile(error, (0.05, 0.25, 0.5, 0.75, 0.9, 0.95), axis=1)
    simple = (error.mean(axis=1), error.std(axis=1, ddof=1), error.min(axis=1), error.max(axis=1))
    np.testing.assert_allclose(found, np.stack((*simple, *quantiles), axis=1), rtol=1e-12)


def test_errors_are_estimated_from_noisy_flux_alone():
    rng = np.random.default_rng(0)
    size = rng.uniform(0.5, 2.0, (40, 1)) * 1e-2
    noise = size * rng.standard_normal((40, 20_000))
    assert error_only.scatter(torch.from_numpy(noise)).numpy() == pytest.approx(size, rel=0.05)
    flux = torch.from_numpy(1.0 + rng.uniform(-0.1, 0.1, (40, 300)))
    expected = uniform_filter1d(flux.numpy(), error_only.KERNEL, mode="constant")
    expected /= uniform_filter1d(np.ones_like(flux), error_only.KERNEL, mode="constant")
    assert error_only.smoothed(flux).numpy() == pytest.approx(expected, rel=1e-12)
    # errors that are a line in the smoothed flux, times the scatter, are found again
    flux = flux.float()
    constant, slope = (torch.from_numpy(rng.uniform(0.5, 1.5, 300)).float() for _ in range(2))
    error = error_only.scatter(flux) * (constant + slope * error_only.smoothed(flux))
    law = error_only.error_law(as_source(flux.numpy()), as_source(error.numpy()))
    assert law(flux).numpy() == pytest.approx(error.numpy(), rel=1e-4)


def test_headers_are_fitted_by_least_squares(table):
    columns = ("mag", "seeing", "target_zenith_angle", "target_field_angle", "moon_zenith_angle", "moon_target_angle")
    parts = [np.stack([t[name] for name in (*columns, "moon_phase")], axis=1) for t in (DATA.table, DATA.test.table)]
    ones = [np.concatenate((np.ones((len(part), 1)), part), axis=1) for part in parts]
    expected = ones[1] @ np.linalg.lstsq(ones[0][:100], DATA.y[:100], rcond=None)[0]
    found = row(table, experiment="metadata", setting="", n_train=100, seed=0)
    assert table.predictions[found] == pytest.approx(expected, abs=1e-3)
