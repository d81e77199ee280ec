"""Scores against scikit-learn, bins against their edges, resamples against the variance of a mean."""

import numpy as np
import pytest
from sklearn.metrics import mean_absolute_error, mean_squared_error, r2_score

from repro.scores.bins import SNR_EDGES, cells, mae, magnitude_bins, r2, rmse, snr_bins
from repro.scores.bootstrap import resamples, scored


@pytest.fixture
def pair() -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(1)
    truth = generator.normal(3.0, 1.2, 400)
    return truth, truth + generator.normal(0.0, 0.5, 400)


def test_scores_are_those_of_another_library(pair: tuple[np.ndarray, np.ndarray]) -> None:
    assert r2(*pair) == pytest.approx(r2_score(*pair), rel=1e-12)
    assert rmse(*pair) == pytest.approx(mean_squared_error(*pair) ** 0.5, rel=1e-12)
    assert mae(*pair) == pytest.approx(mean_absolute_error(*pair), rel=1e-12)


def test_scores_of_nothing_are_not_numbers() -> None:
    nothing = np.empty(0)
    assert np.isnan([r2(nothing, nothing), rmse(nothing, nothing), mae(nothing, nothing)]).all()
    assert np.isnan(r2(np.ones(3), np.zeros(3)))


def test_every_star_is_in_one_bin() -> None:
    snr = np.array([2.5, 3.49, 3.5, 17.9, 18.0, 28.0])
    members = np.array(list(snr_bins(snr).values()))
    assert (members.sum(axis=0) == 1).all()
    assert [int(column.argmax()) for column in members.T] == [0, 0, 1, 6, 7, 7]
    assert list(snr_bins(snr))[0] == "snr_2.5_3.5" and len(members) == len(SNR_EDGES) - 1
    assert not any(bin[0] for bin in snr_bins(np.array([2.4])).values())


def test_magnitudes_and_cells() -> None:
    assert [name for name, members in magnitude_bins(np.array([22.5])).items() if members[0]] == ["mag_22_22.5"]
    warm = np.array([3750.0, 4500.0, 6000.0])
    found = {name: members.nonzero()[0].tolist() for name, members in cells(warm, np.array([-2.5, 0.0, 0.75])).items()}
    assert found["T_eff_3750_4500/M_H_-2.5_-1.75"] == [0]
    assert found["T_eff_4500_5250/M_H_-0.25_0.75"] == [1]
    assert found["T_eff_5250_6000/M_H_-0.25_0.75"] == [2]


def test_the_error_of_a_mean() -> None:
    values = np.random.default_rng(2).normal(size=500)
    result = scored(lambda rows: float(values[rows].mean()), 500)
    assert result.value == pytest.approx(values.mean())
    assert result.error == pytest.approx(values.std() / 500**0.5, rel=0.2)


def test_choices_stay_paired() -> None:
    values = np.random.default_rng(3).normal(size=300)
    chosen = values > 0

    def mean(rows: np.ndarray) -> float:
        return float(values[rows].mean())

    everything, some = scored(mean, 300), scored(mean, 300, chosen)
    first = resamples(300)[0]
    assert everything.replicates[0] == values[first].mean()
    assert some.replicates[0] == pytest.approx(values[first][chosen[first]].mean())


def test_resamples_repeat() -> None:
    assert np.array_equal(resamples(50), resamples(50))
    assert not np.array_equal(resamples(50), resamples(50, seed=1))
