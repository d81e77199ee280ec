"""All arms of the linear models on small data, and what scikit-learn makes of the same noisy spectra."""

import tempfile
from functools import cache
from pathlib import Path
from types import SimpleNamespace

from repro.experiments.jobs import run_jobs
from repro.experiments.linear.family import linear_jobs
from repro.experiments.table import ArmTable
from tests.experiments.small import small_data

LEVELS = (0.0, 0.1, 0.2, 0.5, 1.0, 2.0)
PLAN = SimpleNamespace(sizes=(20, 100, 200), seeds=2, repeated=(0.1, 1.0), components=(2, 5, 400), pixels=(3, 8, 400))
DATA = small_data()


@cache
def linear_table():
    """The table of all arms."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "linear.h5"
        run_jobs(linear_jobs(DATA, PLAN, LEVELS), DATA, Path(folder) / "kept", path)
        return ArmTable.read(path)


def row(table, **wanted):
    """The one arm with these values."""
    (found,) = table.rows(**wanted)
    return found


def learnt(model, level, n, run=0, tested=None):
    """Predictions of a scikit-learn model in float64 on the same noisy spectra."""
    model.fit(DATA.noisy(level, n, run).astype(float), DATA.y[:n])
    return model.predict(DATA.test_flux(level if tested is None else tested).astype(float)).ravel()
