"""Arms in portions, each kept when it is done, so that a run that was killed goes on where it stopped."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, NamedTuple

from repro.errors import DataError
from repro.experiments.data import Data
from repro.experiments.table import Arm, ArmTable, arm_table, joined
from repro.progress import Report, silent
from repro.sources.fingerprint import code_fingerprint
from repro.training.parallel import main_process, same, wait

_PACKAGE: Final = Path(__file__).resolve().parents[1]
_MODELS: Final = "models"  # beside the finished jobs
_CODE: Final = ("experiments", "models", "training", "spectra")  # what the arms depend on beside data and settings


class Job(NamedTuple):
    """Some arms that are made together.

    Attributes:
        name: unique in its stage.
        make: makes them.
        after: called by the main process when they are stored, also when they were stored before: removes what `make`
            would have continued from.
    """

    name: str
    make: Callable[[], Sequence[Arm]]
    after: Callable[[], None] | None = None


def run_jobs(
    jobs: Sequence[Job],
    data: Data,
    folder: Path,
    path: Path,
    *,
    models: Path | None = None,
    settings: str = "",
    report: Report = silent,
) -> None:
    """Run jobs in order and write the table of all their arms.

    Under torchrun every process goes through all jobs, which train together, and the main one writes.

    Args:
        jobs: at least one.
        data: what they learn from.
        folder: where finished jobs are kept until the table is written; one of other code, data or settings is made
            again.
        path: of the table.
        models: folder of the models that arms keep.
        settings: all parameters that the jobs depend on, as text.
        report: called with the number of jobs done and in all.

    Raises:
        DataError: two jobs have one name, or the disk is full; anything that a job raises.
    """
    if len({job.name for job in jobs}) < len(jobs):
        raise DataError("experiments: two jobs have the same name")
    key = _key(data, settings)
    for number, job in enumerate(jobs):
        report(number, len(jobs))
        finished = folder / f"{job.name}.h5"
        if not same(_kept(finished, key) is not None):
            _finish(job.make(), data, folder / _MODELS / job.name, finished, key)
        if job.after is not None and main_process():
            job.after()
    if main_process():
        _gather([job.name for job in jobs], folder, path, models)
    wait()
    report(len(jobs), len(jobs))


def _finish(arms: Sequence[Arm], data: Data, models: Path, finished: Path, key: str) -> None:
    """Keep what a job made."""
    if not main_process():
        return
    shutil.rmtree(models, ignore_errors=True)  # those of other settings
    for arm in arms:
        if arm.kept is not None:
            arm.kept.save(models / f"{arm.name}{arm.kept.suffix}")
    arm_table(arms, data.stars, {"key": key}).write(finished)


def _gather(names: Sequence[str], folder: Path, path: Path, models: Path | None) -> None:
    """Write the table of all jobs and their models; remove what jobs left, these and others of other settings."""
    merged = joined([ArmTable.read(folder / f"{name}.h5") for name in names])
    replace(merged, conditions={name: v for name, v in merged.conditions.items() if name != "key"}).write(path)
    if models is not None:
        copied_folders([folder / _MODELS / name for name in names], models)
    shutil.rmtree(folder, ignore_errors=True)


def copied_folders(sources: Sequence[Path], target: Path) -> None:
    """Copy the files of folders, which may be absent, in place of another folder; whole or not at all."""
    temporary = target.with_name(f".{target.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    for file in (file for source in sources for file in source.glob("*")):
        shutil.copyfile(file, temporary / file.name)
    shutil.rmtree(target, ignore_errors=True)
    temporary.rename(target)


def _kept(path: Path, key: str) -> ArmTable | None:
    try:
        table = ArmTable.read(path)
    except DataError:
        return None
    return table if table.conditions.get("key") == key else None


def _key(data: Data, settings: str) -> str:
    files = list(_files())
    text = "\n".join((data.digest, settings, code_fingerprint(_PACKAGE, files, [])))
    return hashlib.sha256(text.encode()).hexdigest()


def _files() -> Iterator[Path]:
    for room in _CODE:
        yield from sorted((_PACKAGE / room).rglob("*.py"))
