"""Least squares from what a header knows of a star: magnitude and observing conditions, and no spectrum."""

from functools import partial
from typing import Final

import numpy as np

from repro.experiments.data import Data
from repro.experiments.jobs import Job
from repro.experiments.linear.paths import Cell, LinearPlan, Seen
from repro.experiments.plan import CLEAN
from repro.experiments.table import Arm
from repro.models.moments import moments
from repro.models.ols import ols_path
from repro.spectra.sampling import CONDITIONS, Table
from repro.training.spectra import Validation

COLUMNS: Final = ("mag", *CONDITIONS, "moon_phase")


def metadata_jobs(data: Data, plan: LinearPlan) -> list[Job]:
    """One job a size; nothing is drawn, so that there is one run."""
    return [Job(f"metadata_n{n}", partial(_metadata, data, n)) for n in plan.sizes]


def _metadata(data: Data, n: int) -> list[Arm]:
    known = moments(header(data.table[:n]), data.y[:n])
    seen = Seen(Validation(header(data.val.table), data.val.y), header(data.test.table))
    return Cell(CLEAN, n, 0).arms("metadata", "ols", ols_path(known, (0.0,)), [""], seen)


def header(table: Table) -> np.ndarray:
    """Magnitude, seeing, angles and phase of the moon, (n, 7), of n records."""
    return np.stack([table[name] for name in COLUMNS], axis=1)
