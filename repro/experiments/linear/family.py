"""All jobs of the linear models."""

from collections.abc import Sequence

from repro.experiments.data import Data
from repro.experiments.jobs import Job
from repro.experiments.linear.error_only import error_jobs
from repro.experiments.linear.levels import level_jobs
from repro.experiments.linear.metadata import metadata_jobs
from repro.experiments.linear.paths import LinearPlan
from repro.experiments.linear.scaler import scaler_jobs
from repro.experiments.linear.shared import SharedMoments
from repro.experiments.linear.topk import topk_jobs
from repro.experiments.plan import runs_and_sizes


def linear_jobs(data: Data, plan: LinearPlan, levels: Sequence[float]) -> list[Job]:
    """All jobs of the linear models, on the device of the data.

    Args:
        plan: how much of the matrix is wanted.
        levels: published noise levels at which the models are trained and tested.
    """
    shared = SharedMoments(data, plan, levels)
    jobs = []
    for run, n in runs_and_sizes(plan):
        jobs += level_jobs(shared, n, run)
        jobs += topk_jobs(shared, n, run)
    return jobs + scaler_jobs(data, plan) + error_jobs(data, plan) + metadata_jobs(data, plan)
