"""A smooth analytic source and instrument: every number of this room has a closed form to compare with."""

import pytest

from repro.spectra.build import build_nodes
from tests.spectra.smooth import SmoothSource, exact, observe_smooth, small_lattice


@pytest.fixture
def source():
    return SmoothSource()


@pytest.fixture
def instrument():
    return observe_smooth


@pytest.fixture
def lattice():
    return small_lattice()


@pytest.fixture(scope="session")
def grid(tmp_path_factory):
    return build_nodes(SmoothSource(), observe_smooth, small_lattice(), tmp_path_factory.mktemp("work"))


@pytest.fixture(scope="session")
def truth():
    return exact
