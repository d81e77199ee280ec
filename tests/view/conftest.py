"""A small node grid and a small spectrum set on disk, both of a smooth analytic source."""

import numpy as np
import pytest

from repro.spectra.build import build_nodes
from repro.spectra.sampling import draw
from repro.spectra.store import create_set
from tests.spectra.smooth import SmoothSource, exact, observe_smooth, small_lattice


@pytest.fixture(scope="session")
def grid_path(tmp_path_factory):
    folder = tmp_path_factory.mktemp("grid")
    build_nodes(SmoothSource(), observe_smooth, small_lattice(), folder / "work").write(folder / "nodes.h5")
    return folder / "nodes.h5"


@pytest.fixture(scope="session")
def set_path(tmp_path_factory):
    path = tmp_path_factory.mktemp("set") / "test.h5"
    table = draw("paper", 3, small_lattice(), seed=42, split="test")
    table["snr"] = 50.0
    flux = exact(np.stack([table[name] for name in ("T_eff", "log_g", "M_H", "a_M", "C_M")], axis=1))[0]
    flux = (0.5 * flux / np.median(flux, axis=1, keepdims=True)).astype(np.float32)
    with create_set(path, 3, {"seed": 42, "split": "test", "source": "smooth"}) as writer:
        writer.write(flux, (0.01 * flux).astype(np.float32))
        writer.finish(table)
    return path
