"""What the stages of Track F's matrix share: its data, the part of the parameters that a family uses, and its table."""

from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from repro.experiments.data import Data
from repro.experiments.jobs import Job, run_jobs
from repro.progress import progress
from repro.stages.paths import SPECTRA, WORK
from repro.stages.runner import Run

Family = Callable[[Data, Any, Sequence[float]], Sequence[Job]]


def run_family(run: Run, family: Family, fields: Sequence[str], path: Path, models: Path | None = None) -> None:
    """Run the jobs of one family of models and write their table.

    Args:
        family: makes the jobs from the data, the part of the scale's matrix that `fields` name, and the noise levels.
        fields: of `MatrixParams`; no others are read, so that a change of others reruns nothing.
        path: of the table.
        models: folder for the models that are worth keeping.
    """
    params = run.params
    matrix, levels = params.size.trackF, params.trackF.levels
    plan = SimpleNamespace(**{name: getattr(matrix, name) for name in fields})
    data = Data(SPECTRA, params.seed, params.noise, run.device)
    with progress(path.stem) as report:
        jobs, settings = family(data, plan, levels), f"{plan} {levels}"
        run_jobs(jobs, data, WORK / run.stage, path, models=models, settings=settings, report=report)
