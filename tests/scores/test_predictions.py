"""The table of predictions, and the scores of models on all stars and around the SNRs that claims name."""

import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from repro.errors import DataError, ParameterError
from repro.scores.bootstrap import resamples
from repro.scores.efficiency import Ceiling
from repro.scores.models import summarise_models, windows
from repro.scores.predictions import PredictionTable, predictions
from repro.spectra.presentation import ObservedStars
from repro.spectra.sampling import COLUMNS
from tests.scores.stars import gaussian_stars, table_of


def observed(n=6, pixels=5):
    rng = np.random.default_rng(0)
    table = np.zeros(n, dtype=COLUMNS)
    table["log_g"], table["mag"] = rng.uniform(1, 5, n), rng.uniform(20.5, 22.5, n)
    x = rng.normal(size=(n, pixels)).astype(np.float32)
    return ObservedStars(x, np.abs(x) + 0.1, table, np.arange(n) + 40, np.full(n, 7.0), 2.0, 11)


def reader(uses_error):
    """A model that gives the first pixel of the flux, plus the first of the error where it is shown one."""

    def predict(flux, *, error=None):
        assert (error is not None) == uses_error
        return flux[:, 0].astype(float) + (error[:, 0] if uses_error else 0.0)

    return SimpleNamespace(uses_error=uses_error, predict=predict)


def test_every_model_sees_every_law_and_the_error_only_where_it_declares_it(tmp_path):
    stars = observed()
    models = {"plain": [reader(False), reader(False)], "with_error": [reader(True)]}
    table = predictions(models, stars, {"student": lambda: stars.x + 1.0}, {"scale": "ci"})
    assert table.observers == ("flux", "flux+error")
    assert table.noise_laws == ("gaussian", "student")
    assert table.predictions.shape == (2, 2, 2, 6)
    first, error = stars.x[:, 0].astype(float), stars.error[:, 0]
    assert (table.of("plain") == first).all()
    assert table.of("plain", "student") == pytest.approx(np.tile(first + 1.0, (2, 1)), abs=1e-6)
    assert table.of("with_error") == pytest.approx((first + error)[None])
    assert np.isnan(table.predictions[1, :, 1]).all()  # a run that this model did not have
    assert table.conditions == {"noise": 2.0, "seed": 11, "scale": "ci"}
    for name in ("one.h5", "two.h5"):
        table.write(tmp_path / name)
    assert (tmp_path / "one.h5").read_bytes() == (tmp_path / "two.h5").read_bytes()
    again = PredictionTable.read(tmp_path / "one.h5")
    assert again.models == table.models
    np.testing.assert_array_equal(again.predictions, table.predictions)
    np.testing.assert_array_equal(again.stars, np.arange(6) + 40)


def test_a_table_that_does_not_fit_together_is_refused(tmp_path):
    truth, _, mean, snr = gaussian_stars(20)
    table = table_of(truth, snr, {"model": mean})
    for name, value in (("snr", snr[:-1]), ("predictions", table.predictions[0])):
        broken = PredictionTable(**{**vars(table), name: value})
        broken.write(tmp_path / "broken.h5")
        with pytest.raises(DataError, match=f"dataset '{name}' has shape"):
            PredictionTable.read(tmp_path / "broken.h5")
    with pytest.raises(ParameterError, match="there is no 'vit' in this table; it has model"):
        table.of("vit")
    with pytest.raises(ParameterError, match="there is no 'sky'"):
        table.of("model", "sky")


def test_scores_are_means_over_runs_with_each_run_beside_them():
    truth, _, mean, snr = gaussian_stars(400)
    runs = np.stack((mean, 3.0 + 0.5 * (mean - 3.0)))
    table = table_of(truth, snr, {"two": runs, "one": mean}, runs=2)
    curve = Ceiling("ceiling_5D", np.arange(400), np.clip(6.0 / snr**2, 0, 1), relative=True)
    values = summarise_models(table, curve)
    each = [1.0 - np.mean((run - truth) ** 2) / np.var(truth) for run in runs]
    two = values["efficiency/two/r2"]
    assert two.runs == pytest.approx(each)
    assert two.value == pytest.approx(np.mean(each))
    rows = resamples(400)[3]
    again = [1.0 - np.mean((run[rows] - truth[rows]) ** 2) / np.var(truth[rows]) for run in runs]
    assert two.replicates[3] == pytest.approx(np.mean(again))
    assert values["efficiency/one/r2"].runs == ()
    near = np.abs(snr - 5.0) <= 0.5
    expected = 1.0 - np.mean((mean[near] - truth[near]) ** 2) / np.var(truth[near])
    assert values["efficiency/one/r2_snr_5"].value == pytest.approx(expected)
    assert values["efficiency/ceiling_5D/r2max_snr_5"].value == pytest.approx(1.0 - curve.loss[near].mean())
    assert np.isnan(values["efficiency/one/r2_mag_20"].value)  # no test star is that bright
    assert values["efficiency/one/rmse"].value == pytest.approx(np.sqrt(np.mean((mean - truth) ** 2)))


def test_windows_are_those_that_claims_name():
    members = windows(np.array([2.7, 3.29, 4.5, 5.0, 7.05, 9.0]), np.full(6, 21.0))
    assert {name: list(np.flatnonzero(inside)) for name, inside in members.items()} == {
        "snr_3.0": [0, 1],
        "snr_4.6": [2, 3],
        "snr_5": [2, 3],
        "snr_7.1": [4],
        "snr_7_up": [4, 5],
        "mag_20": [],
    }


def test_stored_predictions_are_scored_without_torch():
    code = "import sys, repro.scores.models, repro.scores.leak; sys.exit(bool({'torch', 'pandas'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
