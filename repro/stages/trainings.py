"""What the trainings of a stage took, job by job and over restarts: provenance, outside everything that is hashed."""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import torch

from repro.files import sha256
from repro.machine.doctor import nvidia_driver
from repro.machine.energy import Energy
from repro.progress import Report
from repro.stages.paths import WORK
from repro.stages.runner import write_json
from repro.training.parallel import processes
from repro.training.recipe import Recipe

TRAININGS_A: Final = WORK / "trackA-train-provenance.json"
EVERY: Final = 60.0  # seconds between two writes amid a training, as between its checkpoints


class Ledger:
    """Keeps a file of what trainings took.

    A job has one session for each time that its training was begun or continued; a training that begins anew forgets
    those before. Work that a kill made it repeat counts, for it was done; of a session that is killed, up to `every`
    seconds at its end are missing. Only reports of the main process are counted, so that it alone writes.

    Args:
        path: of the file.
        device: `cpu` or `cuda`.
        every: seconds between two writes amid a session.
    """

    def __init__(self, path: Path, device: str, every: float = EVERY) -> None:
        self._path, self._every = path, every
        self._device = torch.device(device)
        self._jobs: dict[str, Any] = _read(path).get("jobs", {})

    @contextmanager
    def counting(self, job: str, recipe: Recipe, seed: int) -> Iterator[Report]:
        """Yield what a training reports its presentations to; time and energy count from its first report on.

        Args:
            seed: the root of all that is random in it.
        """
        session: _Session | None = None

        def report(done: int, _total: int) -> None:
            nonlocal session
            if session is None:
                earlier = self._jobs[job]["sessions"] if done and job in self._jobs else []
                session = _Session(self._device, recipe, seed, done, earlier)
            session.done = done
            if session.due(self._every):
                self._write(job, session)

        try:
            yield report
        finally:
            if session is not None:
                self._write(job, session)

    def close(self, table: Path, jobs: Collection[str]) -> None:
        """Say that these jobs, and no others, made a table."""
        self._jobs = {name: taken for name, taken in self._jobs.items() if name in jobs}
        write_json(self._path, {"jobs": self._jobs, "table": sha256(table)})

    def _write(self, job: str, session: _Session) -> None:
        sessions = [*session.earlier, session.taken()]
        self._jobs[job] = {**_together(sessions), "sessions": sessions}
        write_json(self._path, {"jobs": self._jobs})


def trainings_of(table: Path, path: Path = TRAININGS_A) -> dict[str, Any] | None:
    """What the trainings of a table took, by job; None where the file is absent or tells of another table."""
    content = _read(path)
    if content.get("table") != sha256(table):
        return None
    jobs: dict[str, Any] = content["jobs"]
    return jobs


class _Session:
    """A training from its first report to its end, or to the end of its process."""

    def __init__(
        self, device: torch.device, recipe: Recipe, seed: int, done: int, earlier: list[dict[str, Any]]
    ) -> None:
        self.earlier, self.done, self._begun_at = earlier, done, done
        gpu = device.type == "cuda"
        self._about = {
            "device": device.type,
            "gpu": torch.cuda.get_device_name() if gpu else None,
            "driver": nvidia_driver() if gpu else None,
            "processes": processes(),
            "seed": seed,
            **recipe.precision(device),
        }
        self._energies = _energies() if gpu else []
        if gpu:
            torch.cuda.reset_peak_memory_stats()
        self._gpu = gpu
        self._started = self._written = time.monotonic()

    def due(self, every: float) -> bool:
        """Whether so many seconds have passed since this was last true."""
        now = time.monotonic()
        if now - self._written < every:
            return False
        self._written = now
        return True

    def taken(self) -> dict[str, Any]:
        """All that is told of the session until now; the memory is that of the main process's GPU."""
        joules = [energy.joules() for energy in self._energies]
        return self._about | {
            "presentations": self.done - self._begun_at,
            "seconds": time.monotonic() - self._started,
            "peak_gpu_bytes": torch.cuda.max_memory_allocated() if self._gpu else None,
            "joules": _sum(joules),
        }


def _energies() -> list[Energy]:
    """Counters of the GPUs of all processes, which are on this machine; none where some are not."""
    if processes() == 1:
        return [Energy()]
    found = []
    for number in range(processes() if processes() <= torch.cuda.device_count() else 0):
        with torch.cuda.device(number):
            found.append(Energy())
    return found


def _together(sessions: list[dict[str, Any]]) -> dict[str, Any]:
    presentations = sum(session["presentations"] for session in sessions)
    seconds = sum(session["seconds"] for session in sessions)
    return {
        "presentations": presentations,
        "seconds": seconds,
        "spectra_per_second": presentations / seconds if seconds > 0 else None,
        "peak_gpu_bytes": max((s["peak_gpu_bytes"] for s in sessions if s["peak_gpu_bytes"] is not None), default=None),
        "joules": _sum([session["joules"] for session in sessions]),
    }


def _sum(values: list[float | None]) -> float | None:
    """None where there are none or one is unknown."""
    known = [value for value in values if value is not None]
    return sum(known) if values and len(known) == len(values) else None


def _read(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return {}
    return content
