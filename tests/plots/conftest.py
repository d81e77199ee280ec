"""Ceiling tables with the published distributions of bounds, laid out smoothly over the paper's lattices."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from repro.bounds.table import CeilingTable, arrays_of
from repro.plots import published, style
from repro.spectra.lattice import Lattice, paper_3d

DPI = 50


def ceiling_table(lattice, paper):
    """Bounds of `lattice` distributed as the published ones of `paper` at magnitude 21.5, scaled to the others."""
    temperature, gravity, metals, alpha, carbon = lattice.labels.T
    # hot, metal-poor, high-gravity nodes are worst, as in the published maps
    badness = 0.4 * temperature / 1000.0 + 0.3 * gravity - 0.6 * metals + 0.1 * np.sin(7 * gravity) + alpha - carbon
    rank = np.argsort(np.argsort(badness, kind="stable"), kind="stable")
    bounds = paper.quantile((rank + 0.5) / lattice.size)
    crlb = (np.array(paper.sigma_median) / paper.sigma_median[2])[:, None] ** 2 * bounds
    schur = np.clip(0.2 + 0.6 * (temperature - 3750.0) / 2250.0 + 0.15 * np.sin(3 * gravity + metals), 0.06, 1.0)
    schur = np.repeat(schur[None], len(crlb), axis=0)
    snr = np.array(published.SNR)
    routes = {name: crlb for name in arrays_of(CeilingTable) if name.startswith("crlb")}
    routes["crlb_second_order"] = crlb * (1.0 + 0.3 * (gravity == 1.0))
    k = len(lattice.free)
    return CeilingTable(
        target="log_g",
        free=lattice.free,
        magnitudes=np.array(published.MAGNITUDES),
        labels=lattice.labels,
        interior=np.ones(lattice.size, dtype=bool),
        **routes,
        conditional=crlb * schur,
        schur=schur,
        condition_raw=np.full(crlb.shape, 2e5),
        condition_scaled=np.full(crlb.shape, 9.0),
        correlations=np.zeros((*crlb.shape, k)),
        rank=np.full(crlb.shape, k),
        identifiable=np.ones(crlb.shape, dtype=bool),
        snr=np.repeat(snr[:, None], lattice.size, axis=1),
        snr_percentiles=np.stack([snr / 4.0, snr, 1.2 * snr], axis=1),
        error_median=0.5 / snr,
    )


@pytest.fixture(scope="session")
def table():
    """The published 3D lattice with the published bounds."""
    return ceiling_table(paper_3d(), published.PAPER_3D)


@pytest.fixture(scope="session")
def table_5d():
    """A thinner 5D lattice with the published 5D bounds."""
    axes = paper_3d().axes | {"M_H": (-2.5, -2.0, -1.0, 0.0, 0.75), "a_M": (0.0, 0.5), "C_M": (-0.75, 0.0, 0.5)}
    return ceiling_table(Lattice(axes), published.PAPER_5D)


@pytest.fixture
def drawn(monkeypatch):
    """The figures written so far, with few dots."""
    monkeypatch.setattr(style, "_DPI", DPI)
    figures = []
    write = Figure.savefig

    def keep(self, *args, **kwargs):
        figures.append(self)
        write(self, *args, **kwargs)

    monkeypatch.setattr(Figure, "savefig", keep)
    return figures


@pytest.fixture
def inside_the_page():
    """Check that nothing of a figure, legends and texts included, leaves the page, and that axes are named."""

    def check(figure):
        box, page, dot = figure.get_tightbbox(), figure.get_size_inches(), 1.0 / DPI
        assert box.x0 >= -dot and box.y0 >= -dot and box.x1 <= page[0] + dot and box.y1 <= page[1] + dot
        for axes in figure.axes:
            beside, below = axes.get_shared_y_axes().get_siblings(axes), axes.get_shared_x_axes().get_siblings(axes)
            assert any(other.get_ylabel() for other in beside)
            assert any(other.get_xlabel() for other in below) or axes.get_label() == "<colorbar>"

    return check
