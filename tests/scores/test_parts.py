"""Parts of the test set: who is in them, and scores of arms on them against the definitions, resample by resample."""

import numpy as np
import pytest

from repro.scores.bootstrap import Undefined, resamples
from repro.scores.parts import Part, fixed_snr, plain, quantile_snr, stellar_types
from repro.scores.residual_profiles import AXES, edges_of, profile, values_of
from tests.plots.vit_tables import contenders

BINS = ("2.5-3.5", "3.5-4.5", "4.5-5.5", "5.5-6.5", "6.5-8.5", "8.5-12.5", "12.5-18", "18-28")
DEFINITIONS = {
    "r2": lambda t, p: 1.0 - np.sum((p - t) ** 2) / np.sum((t - t.mean()) ** 2),
    "rmse": lambda t, p: np.sqrt(np.mean((p - t) ** 2)),
    "mae": lambda t, p: np.mean(np.abs(p - t)),
    "bias": lambda t, p: np.mean(p) - np.mean(t),
    "scatter": lambda t, p: np.std(p - t),
    "slope": lambda t, p: np.polyfit(t, p, 1)[0],
}


@pytest.fixture(scope="module")
def known():
    return contenders(stars=120)


@pytest.mark.parametrize("metric", DEFINITIONS)
def test_scores_are_those_of_the_definition_on_every_resample(known, metric):
    table = known.scores.table
    members = table.snr < np.median(table.snr)
    rows = known.scores.rows(known.main)
    measured = Part(known.scores, members).measured(metric, rows)
    predictions = table.predictions[rows].astype(float)
    assert measured.runs == pytest.approx([DEFINITIONS[metric](table.truth[members], p[members]) for p in predictions])
    drawn = resamples(len(table.truth))
    for k in (0, 7, 199):
        stars = drawn[k][members[drawn[k]]]
        each = [DEFINITIONS[metric](table.truth[stars], p[stars]) for p in predictions]
        assert measured.samples[1 + k] == pytest.approx(np.mean(each))


def test_differences_are_paired_over_runs_and_stars(known):
    part = Part(known.scores, known.scores.table.snr > 5.0)
    main, other = known.scores.rows(known.main), known.at("lightgbm", 8000)
    gain = part.difference("r2", main, other)
    alone = [part.measured("r2", rows) for rows in (main, other)]
    assert gain.runs == pytest.approx(np.subtract(alone[0].runs, alone[1].runs))
    assert gain.samples == pytest.approx(alone[0].samples - alone[1].samples)
    unpaired = np.hypot(alone[0].error, alone[1].error)
    assert gain.error < 0.8 * unpaired  # they share most of their errors
    once = part.difference("r2", main, known.at("template", 8000))
    assert len(once.runs) == 3  # an arm without seeds is paired with every run


def test_a_part_of_few_stars_has_no_score(known):
    members = np.zeros(120, dtype=bool)
    members[:19] = True
    found = Part(known.scores, members).measured("r2", known.main)
    assert found == Undefined("19 stars, fewer than 20") and plain(found) is found
    members[19] = True
    assert plain(Part(known.scores, members).measured("r2", known.main)).value < 1.0


def test_fixed_bins_split_the_published_range_and_quantiles_all_stars():
    snr = np.array([2.4, 2.5, 3.5, 27.9, 28.0, 28.1, 6.5])
    bins = fixed_snr(snr)
    assert list(bins) == [f"snr/{b}" for b in BINS]
    assert bins["snr/2.5-3.5"].tolist() == [False, True, False, False, False, False, False]
    assert bins["snr/18-28"].tolist() == [False, False, False, True, True, False, False]
    assert sum(bins.values()).tolist() == [0, 1, 1, 1, 1, 0, 1]
    values = np.random.default_rng(0).permutation(np.arange(1.0, 1002.0))
    groups = quantile_snr(values)
    assert sorted(m.sum() for m in groups.values()) == [125] * 7 + [126]
    assert np.array_equal(sum(groups.values()), np.ones(1001))
    tops = [values[members].max() for members in groups.values()]
    assert tops == sorted(tops)
    types = stellar_types(np.array([1.0, 2.5, 3.49, 3.5, 5.0]))
    assert [members.tolist() for members in types.values()] == [
        [True, False, False, False, False],
        [False, True, True, False, False],
        [False, False, False, True, True],
    ]


@pytest.mark.parametrize("axis", AXES)
def test_profiles_are_means_and_deviations_of_residuals_bin_by_bin(axis):
    known = contenders(stars=240)
    table, rows = known.scores.table, known.scores.rows(known.main)
    found = profile(known.scores, rows, axis)
    values, edges = values_of(known.scores, axis), edges_of(axis)
    assert len(found.count) and found.count.min() >= 20
    for k, (low, high) in enumerate(found.edges):
        last = high == edges[-1]
        inside = (values >= low) & ((values <= high) if last else (values < high))
        residual = table.predictions[rows][:, inside] - table.truth[inside]
        assert found.count[k] == inside.sum()
        assert found.middle[k] == pytest.approx(values[inside].mean())
        assert found.bias[k].value == pytest.approx(residual.mean(axis=1).mean())
        assert found.scatter[k].value == pytest.approx(residual.std(axis=1).mean(), abs=1e-6)
