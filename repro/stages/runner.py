"""What every stage shares: audited parameters, one clear message on failure, timings and provenance."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import yaml

from repro.errors import DataError, ParameterError, ReproError
from repro.files import atomic_path, is_disk_full, remove_leftovers
from repro.params import Params, audited, read_params

PIPELINE: Final = Path("dvc.yaml")
TIMINGS: Final = Path(".dvc/tmp/repro-timings.json")


@dataclass(frozen=True)
class Run:
    """One execution of a stage."""

    stage: str
    params: Params
    started: float

    @property
    def device(self) -> str:
        """`cuda` where a GPU is usable, otherwise `cpu`."""
        import torch

        return "cuda" if torch.cuda.is_available() else "cpu"


def run_stage(stage: str, main: Callable[[Run], None]) -> None:
    """Run `main` as the DVC stage `stage`; exit 2 with one message when the user can mend the cause."""
    try:
        params = read_params()
        run = Run(stage, params, time.monotonic())
        for folder in _output_folders(_declaration(stage)):
            remove_leftovers(folder)
        with audited(declared_parameters(stage, params.scale), stage):
            main(run)
        _remember_duration(stage, time.monotonic() - run.started)
    except ReproError as error:
        sys.exit(_failure(stage, str(error)))
    except OSError as error:
        if not is_disk_full(error):
            raise
        sys.exit(_failure(stage, f"the disk is full ({error}). Free some space and run the same command again."))


def declared_parameters(stage: str, scale: str) -> frozenset[str]:
    """The parameter keys that dvc.yaml declares for a stage, with `${scale}` resolved.

    Raises:
        ParameterError: dvc.yaml does not define the stage.
    """
    return frozenset(key.replace("${scale}", scale) for key in _declaration(stage).get("params", []))


def write_json(path: str | Path, content: Mapping[str, Any]) -> None:
    """Write JSON atomically with sorted keys, so that equal content means equal bytes.

    Raises:
        DataError: a number is not finite.
    """
    try:
        text = json.dumps(content, indent=1, sort_keys=True, allow_nan=False)
    except ValueError as error:
        raise DataError(f"{path}: a value to be written is not a finite number ({error})") from None
    with atomic_path(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def write_provenance(run: Run, folder: str | Path, more: Mapping[str, Any] | None = None) -> None:
    """Write the volatile part of a run to `folder`/provenance.json: device, versions, wall time, revision, date.

    Args:
        more: what else is to be told, by name.
    """
    import torch

    gpu = torch.cuda.get_device_name(0) if run.device == "cuda" else None
    content = {
        "stage": run.stage,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "revision": _revision(),
        "machine": platform.machine(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "device": run.device,
        "gpu": gpu,
        "cuda": torch.version.cuda if gpu else None,
        "driver": _driver() if gpu else None,
        "precision": "float64",
        "mode": "strict",
        "python": platform.python_version(),
        "packages": {name: version(name) for name in ("torch", "numpy", "scipy", "h5py", "dvc")},
        "seconds": _durations(),
        **(more or {}),
    }
    write_json(Path(folder) / "provenance.json", content)


def _declaration(stage: str) -> dict[str, Any]:
    """What dvc.yaml says about a stage."""
    stages: dict[str, dict[str, Any]] = yaml.safe_load(PIPELINE.read_text(encoding="utf-8"))["stages"]
    if stage not in stages:
        raise ParameterError(f"{PIPELINE}: there is no stage '{stage}'. The stages are: {', '.join(stages)}")
    return stages[stage]


def _output_folders(declaration: Mapping[str, Any]) -> set[Path]:
    outputs = [*declaration.get("outs", []), *declaration.get("metrics", [])]
    return {Path(out if isinstance(out, str) else next(iter(out))).parent for out in outputs}


def _failure(stage: str, message: str) -> int:
    sys.stderr.write(f"stage {stage}: {message}\n")
    return 2


def _durations() -> dict[str, float]:
    try:
        content = json.loads(TIMINGS.read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return {}
    return {str(stage): float(seconds) for stage, seconds in content.items()}


def _remember_duration(stage: str, seconds: float) -> None:
    write_json(TIMINGS, {**_durations(), stage: round(seconds, 1)})


def _revision() -> str | None:
    try:
        answer = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return answer.stdout.strip() or None


def _driver() -> str | None:
    """Version of the GPU's driver; None where its tool is not at hand."""
    query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return answer.stdout.strip().partition("\n")[0] or None


def _processor() -> str | None:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or None
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), None)
