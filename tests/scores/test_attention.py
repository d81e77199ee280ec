"""Statistics of attention maps against their definitions, scipy, and maps that know nothing or one thing."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d
from scipy.stats import spearmanr

from repro.errors import DataError, ParameterError
from repro.experiments.attention_table import CLASSES, AttentionTable, published_star
from repro.scores import attention_items as module
from repro.scores.attention import EVERY, STAR, AttentionScores
from repro.scores.attention_items import attention_items
from repro.scores.bootstrap import resamples
from tests.scores.attention_tables import GROUPS, attention_table, shares, with_map


@pytest.fixture(scope="module")
def table():
    return attention_table()


@pytest.fixture(scope="module")
def scores(table):
    return AttentionScores(table)


def test_a_flat_map_has_no_enrichment_anywhere(table):
    flat = AttentionScores(with_map(table, "saliency", np.full((12, 32), 1.0 / 32.0)))
    for group in GROUPS:
        assert flat.enrichment(EVERY, "saliency", group).value == pytest.approx(1.0, abs=1e-6)
        assert flat.moved(EVERY, "saliency", group).p == 1.0
    assert flat.effective_share(EVERY, "saliency").value == pytest.approx(1.0, abs=1e-6)


def test_enrichment_is_the_share_by_pixels_and_resampled_with_the_stars(table, scores):
    giants = table.log_g < 2.5
    maps = table.values[0, table.maps.index("saliency")].astype(float)
    by_pixel = np.repeat(maps, 4, axis=1) / 4.0
    inside = table.windows[1]
    own = by_pixel[:, inside].sum(axis=1) / inside.mean()
    found = scores.enrichment("giants", "saliency", "Na I")
    assert found.value == pytest.approx(own[giants].mean(), rel=1e-6)
    for rows, replicate in zip(resamples(12), found.replicates, strict=True):
        chosen = rows[giants[rows]]
        if len(chosen):
            assert replicate == pytest.approx(own[chosen].mean(), rel=1e-6)
        else:
            assert np.isnan(replicate)
    assert np.isfinite(found.error)


def test_tokens_are_the_places_of_attention(table, scores):
    assert scores.mean(EVERY, "attention").shape == scores.wave("attention").shape == (16,)
    assert scores.mean(EVERY, "saliency").shape == scores.wave("saliency").shape == (32,)
    # even over a token, attention has the same enrichment by cells as by tokens
    mean = table.values[0, 0].astype(float).mean(axis=0)
    cells = table.windows[0].reshape(32, 4).mean(axis=1)
    assert scores.enrichment(EVERY, "attention", "Ca II triplet").value == pytest.approx(mean @ cells / cells.mean())


def test_a_planted_window_is_found(table):
    planted = np.full((12, 32), 0.001)
    planted[:, 4:6] = 1.0  # pixels 16 to 23: the windows of Na I, 17 to 22
    found = AttentionScores(with_map(table, "attention", shares(planted)))
    moved = found.moved(EVERY, "attention", "Na I")
    assert moved.p == 1.0 / 16.0  # of 16 tokens
    assert moved.low < 0.1 and found.enrichment(EVERY, "attention", "Na I").value > 15.0
    assert found.rank(EVERY, "attention", "Na I") == 1 and found.lead(EVERY, "attention", "Na I").value > 100.0
    assert found.rank(EVERY, "attention", "Ca II triplet") == 2  # all others are equal
    assert found.ratio(EVERY, "attention", "Ca II triplet", "Na I").value == pytest.approx(0.001, rel=1e-4)
    hills = np.full((12, 32), 1.0)
    hills[:, 2:4], hills[:, 4:6], hills[:, 6:8], hills[:, 20:22] = 3.0, 9.0, 4.0, 2.0
    found_hills = AttentionScores(with_map(table, "attention", shares(hills)))
    assert found_hills.rank(EVERY, "attention", "Ca II triplet") == 2  # its 2.0 is a peak, 3.0 and 4.0 are slopes
    (wave, share), *_ = found.peaks(EVERY, "attention", 3)
    assert wave == pytest.approx(table.wave[16:24].mean()) and share == pytest.approx(2.0 / 2.03, rel=1e-4)


def test_p_is_uniform_for_maps_that_know_no_lines():
    rng = np.random.default_rng(2)
    places, tries = 32, 320
    found = []
    table = attention_table(n=3)
    for _ in range(tries):
        smooth = np.exp(gaussian_filter1d(rng.normal(size=places), 1.5, mode="wrap"))
        scores = AttentionScores(with_map(table, "saliency", np.tile(shares(smooth), (3, 1))))
        found.append(scores.moved(STAR, "saliency", "Ca II triplet").p)
    ranks = np.rint(np.array(found) * places).astype(int)
    assert ranks.min() >= 1
    counts = np.bincount(ranks, minlength=places + 1)[1:]
    chi2 = ((counts - tries / places) ** 2 / (tries / places)).sum()
    assert chi2 < 61.1  # 99.9 % of 31 degrees of freedom


def test_best_head_chooses_again_for_moved_windows(table, scores):
    raw = table.heads[0].astype(float)
    stars = np.array([(table.log_g < 2.5).sum(), ((table.log_g >= 2.5) & (table.log_g < 3.5)).sum()])
    stars = np.append(stars, 12 - stars.sum())
    heads = shares(np.einsum("k,klhc->lhc", stars / 12.0, raw).reshape(6, 32))
    window = np.repeat(table.windows[2].reshape(16, 8).mean(axis=1), 2)
    best = [max(head @ np.roll(window, 2 * step) / window.mean() for head in heads) for step in range(16)]
    enrichment, p = scores.best_head(EVERY, "Paschen")
    assert enrichment == pytest.approx(best[0], rel=1e-6)
    assert p == np.mean(np.array(best) >= best[0] - 1e-9)
    with pytest.raises(ParameterError, match="kept of star classes"):
        scores.best_head(STAR, "Paschen")


def test_agreement_is_spearmans_over_tokens(table):
    rng = np.random.default_rng(1)
    tied = rng.integers(0, 3, size=(12, 32)).astype(float) + 0.1
    tied[:] = tied[0]
    scores = AttentionScores(with_map(table, "saliency", shares(tied)))
    for where, rows in ((EVERY, slice(None)), ("dwarfs", table.log_g >= 3.5)):
        one = scores.table.values[0, 2][rows].mean(axis=0, dtype=float).round(9).reshape(16, 2).sum(axis=1)
        two = table.reference_values[1][rows].mean(axis=0, dtype=float).reshape(16, 2).sum(axis=1)
        found = scores.agreement(where, "saliency", "fisher_marginal").value
        assert found == pytest.approx(spearmanr(one, two).statistic, abs=0.02)
    one, two = (table.values[0, m].mean(axis=0, dtype=float).reshape(16, 2).sum(axis=1) for m in (1, 4))
    found = scores.agreement(EVERY, "rollout", "occlusion")
    assert found.value == pytest.approx(spearmanr(one, two).statistic, abs=1e-9)
    assert scores.agreement(EVERY, "rollout", "rollout").value == pytest.approx(1.0)
    assert min(found.replicates) < found.value < max(found.replicates)


def test_occluded_is_a_root_mean_square_over_the_stars(table, scores):
    dwarfs = table.log_g >= 3.5
    expected = np.sqrt(np.mean(table.occluded[dwarfs, 1] ** 2))
    assert scores.occluded("dwarfs", "Na I").value == pytest.approx(expected)


def test_stars_without_a_map_are_left_out(table):
    maps = table.values[0, 2].copy()
    maps[3] = np.nan
    scores = AttentionScores(with_map(table, "saliency", maps))
    expected = np.delete(maps, 3, axis=0).mean(axis=0, dtype=float)
    np.testing.assert_allclose(scores.mean(EVERY, "saliency"), expected, rtol=1e-6)


def test_the_star_is_nearest_in_gravity_and_snr():
    log_g = np.array([1.5, 1.5, 3.0, 1.6])
    snr = np.array([4.0, 12.5, 13.0, 13.0])
    assert published_star(log_g, snr) == 1
    assert published_star(log_g[[0, 2, 3]], snr[[0, 2, 3]]) == 2


def test_items_are_complete_documented_and_finite(table):
    items = list(attention_items(table))
    values = {address: value for address, value, _ in items}
    assert len(values) == len(items)
    numbers = [getattr(value, "value", value) for value in values.values()]
    assert np.isfinite(numbers).all()
    for where in (EVERY, *CLASSES, STAR):
        assert f"attention/{where}/attention/na_i/lead" in values
        assert values[f"attention/{where}/agreement/attention-fisher_marginal"].value <= 1.0
    assert not values["attention/star/attention/na_i/enrichment"].replicates
    assert not any("occlusion" in name and "untrained" in name for name in values)
    known = module.__doc__ + " row_sum_low row_sum_high wave share"
    for address in values:
        *_, above, last = address.split("/")
        assert above == "agreement" or last in known
    conditions = {address: where for address, _, where in items}
    assert conditions["attention/giants/attention/na_i/p"] == {
        "model": "vit_small",
        "n_train": 8000,
        "level": 1.0,
        "stars": 5,
    }


def test_a_class_without_stars_has_no_values():
    labels = attention_table().labels.copy()
    labels[:, 1] = 4.0
    table = attention_table(labels=labels)
    addresses = {address for address, _, _ in attention_items(table)}
    assert not any("/giants/" in address for address in addresses)
    assert "attention/dwarfs/attention/na_i/p" in addresses


def test_files_give_the_table_back_and_say_what_does_not_fit(table, tmp_path):
    table.write(tmp_path / "a.h5")
    again = AttentionTable.read(tmp_path / "a.h5")
    np.testing.assert_array_equal(again.values, table.values)
    assert again.groups == table.groups and again.conditions == table.conditions
    attention_table(occluded=np.zeros((12, 2))).write(tmp_path / "b.h5")
    with pytest.raises(DataError, match=r"b\.h5.*occluded.*\(12, 2\), expected \(12, 3\)"):
        AttentionTable.read(tmp_path / "b.h5")
