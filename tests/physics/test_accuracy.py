"""How the benchmarks judge spectra, on spectra made up for the purpose."""

import numpy as np
import pytest

from benchmarks.accuracy import PASCHEN, Comparison, regions, residual_shares, scores, straightened
from repro.labels import LABELS

WAVE = np.linspace(8000.0, 8850.0, 1701)


def test_regions_cover_everything_once() -> None:
    masks = np.array(list(regions(WAVE).values()))
    assert (masks.sum(axis=0) == 1).all()
    assert regions(WAVE)["Paschen cores P11-P20"][np.abs(WAVE - PASCHEN["P14"]).argmin()]


@pytest.mark.parametrize(
    ("wave", "region"),
    [(8600.8, "Paschen cores P11-P20"), (8540.0, "Ca II triplet"), (8478.2, "line 8478.2"), (8300.0, "merging lines")],
)
def test_variance_is_found_where_it_was_put(wave: float, region: str) -> None:
    residual = -0.02 * np.exp(-0.5 * ((WAVE - wave) / 0.4) ** 2)[None]
    shares = residual_shares(WAVE, residual)
    assert sum(share for share, _, _ in shares.values()) == pytest.approx(1.0)
    assert sum(pixels for _, pixels, _ in shares.values()) == pytest.approx(1.0)
    share, _, mean = shares[region]
    assert share > 0.99
    assert mean < 0.0


def test_scores_of_a_model_with_known_errors() -> None:
    """Spectra linear in log g and two other labels, of which the model shows four fifths."""
    labels = np.zeros((4, len(LABELS)))
    labels[:, LABELS.index("T_eff")] = [5000.0, 5000.0, 5500.0, 5500.0]
    labels[:, LABELS.index("log_g")] = [2.0, 3.0, 2.0, 3.0]
    labels[3, LABELS.index("M_H")] = 0.5
    labels = np.vstack([labels, [5500.0, 2.0, 0.5, 0.0, 0.0]])  # pairs in log g, T_eff and [M/H]
    shape = 0.1 * np.sin(WAVE / 3.0)
    columns = [LABELS.index(name) for name in ("T_eff", "log_g", "M_H")]
    offset = ((labels[:, columns] - [5250.0, 2.5, 0.25]) * [1e-3, 0.1, 0.1]) @ np.ones(3)
    data = 1.0 + offset[:, None] * shape
    found = scores(Comparison(labels, WAVE, data, 1.0 + 0.8 * offset[:, None] * shape))
    assert found["dF/dlogg amplitude"] == pytest.approx(0.8)
    assert found["dF/dTeff correlation worst"] == pytest.approx(1.0)
    assert found["explained variance"] == pytest.approx(1.0 - 0.2**2)
    expected = np.sqrt((straightened(WAVE, 0.2 * offset[:, None] * shape) ** 2).mean(axis=1)).mean()
    assert found["rms"] == pytest.approx(expected)
