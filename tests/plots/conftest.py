"""Tables that the figures are drawn from, and what every figure is checked for."""

import pytest
from matplotlib.figure import Figure

from repro.plots import style
from repro.scores import published
from repro.spectra.lattice import Lattice, paper_3d
from tests.plots.ceiling_tables import ceiling_table

DPI = 50


@pytest.fixture(scope="session")
def table():
    """The published 3D lattice with the published bounds."""
    return ceiling_table(paper_3d(), published.PAPER_3D)


@pytest.fixture(scope="session")
def table_5d():
    """A thin 5D lattice with the published 5D bounds."""
    axes = paper_3d().axes | {"M_H": (-2.5, 0.75), "a_M": (-0.25, 0.5), "C_M": (-0.75, 0.5)}
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
