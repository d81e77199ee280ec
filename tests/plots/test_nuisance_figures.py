"""Figures of the nuisance table."""

import matplotlib
import numpy as np
import pytest

from repro.bounds.nuisance_table import RUNGS, NuisanceTable
from repro.errors import ParameterError
from repro.files import sha256
from repro.plots import nuisance_ladder, paired_map
from repro.spectra.lattice import Lattice, paper_5d


@pytest.fixture(scope="module")
def nuisances():
    """Bounds that grow with the number of unknowns; 5D over 3D grows with temperature, and one cell has no bound."""
    lattice = Lattice(paper_5d().axes | {"M_H": (-2.5, -1.0, 0.75), "a_M": (0.0, 0.5), "C_M": (-0.75, 0.5)})
    temperature, gravity, metals = lattice.labels[:, :3].T
    base = np.exp(0.4 * gravity - 0.5 * metals) / 100.0
    growth = np.array([1.0 + 0.1 * len(rung.unknown) for rung in RUNGS.values()])
    ratio = np.where(gravity <= 2.0, 1.0, 1.2) + (temperature - 3750.0) / 9000.0
    lost = (temperature == 5000.0) & (metals == -1.0)
    crlb = growth[:, None, None] * np.array([1.0, 6.0])[:, None] * base
    return NuisanceTable(
        rungs=tuple(RUNGS),
        magnitudes=np.array([21.5, 22.5]),
        paired_magnitudes=np.array([18.0, 21.5]),
        labels=lattice.labels,
        interior=np.ones(lattice.size, dtype=bool),
        crlb=np.where(lost, np.nan, crlb),
        crlb_3d=np.stack([base, base]),
        crlb_5d=np.where(lost, np.nan, np.stack([base, base * ratio**2])),
    )


@pytest.mark.parametrize("module", [nuisance_ladder, paired_map], ids=lambda module: module.__name__.split(".")[-1])
def test_same_table_same_bytes_and_nothing_outside_the_page(module, nuisances, tmp_path, drawn, inside_the_page):
    first = module.draw(nuisances, tmp_path / "a.png")
    with matplotlib.rc_context({"font.size": 20.0, "axes.facecolor": "red"}):  # a user's own settings
        second = module.draw(nuisances, tmp_path / "b.png")
    assert sha256(first) == sha256(second)
    data = first.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n" and b"tEXt" not in data and b"tIME" not in data
    inside_the_page(drawn[0])


def test_the_ladder_shows_the_medians_of_every_rung(nuisances, tmp_path, drawn):
    nuisance_ladder.draw(nuisances, tmp_path / "a.png")
    axes = drawn[0].axes[0]
    names = [text.get_text() for text in axes.get_yticklabels()]
    assert names == [rung.title for rung in RUNGS.values()]
    dots = [line for line in axes.lines if line.get_marker() == "o"]
    for m, line in enumerate(dots):
        np.testing.assert_allclose(line.get_xdata(), np.nanmedian(np.sqrt(nuisances.crlb[:, m]), axis=1))
        low, high = axes.get_xlim()
        assert low < np.nanpercentile(np.sqrt(nuisances.crlb[0, m]), 10.0) and np.max(line.get_xdata()) < high
    right = [text.get_text() for text in axes.child_axes[0].get_yticklabels()]
    place = names.index(RUNGS["all"].title)
    assert right[place] == f"× {np.sqrt(2.0 / 1.4):.3f}" and right[names.index(RUNGS["5D"].title)] == "× 1.000"


def test_the_map_shows_each_cell_of_giants_and_dwarfs(nuisances, tmp_path, drawn):
    paired_map.draw(nuisances, tmp_path / "a.png")
    for axes, floor in zip(drawn[0].axes[:2], (1.0, 1.2), strict=True):
        values = np.ma.filled(axes.collections[0].get_array().astype(float), np.nan)
        temperature = np.arange(3750.0, 6001.0, 250.0)
        expected = np.tile(floor + (temperature - 3750.0) / 9000.0, (3, 1))
        expected[1, temperature == 5000.0] = np.nan
        np.testing.assert_allclose(values, expected)
    assert drawn[0].axes[0].xaxis_inverted() and not drawn[0].axes[0].yaxis_inverted()


def test_an_unknown_magnitude_names_the_known_ones(nuisances, tmp_path):
    with pytest.raises(ParameterError, match="no magnitude 19; it has 18, 21.5"):
        paired_map.draw(nuisances, tmp_path / "a.png", magnitude=19.0)
    assert not list(tmp_path.iterdir())
