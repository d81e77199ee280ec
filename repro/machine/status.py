"""What the pipeline would do if it ran now, why, and for how long, from `dvc status`, dvc.lock and past durations."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import yaml

from repro.errors import EnvironmentProblem, ParameterError

TIMINGS: Final = Path(".dvc/tmp/repro-timings.json")
PARAMETERS: Final = "params.yaml"


@dataclass(frozen=True)
class StageStatus:
    """One stage.

    `stale` stages run next time, for `reasons`. `waiting` ones run only if the output of a stage in `after` changes.
    `seconds` is what the stage took last time at the present scale, or None.
    """

    name: str
    state: Literal["up to date", "stale", "waiting"]
    reasons: tuple[str, ...]
    after: tuple[str, ...]
    seconds: float | None


def pipeline_status(root: Path, target: str | None = None) -> list[StageStatus]:
    """Every stage that `target` (default: the whole pipeline) rests on, in the order of execution.

    Raises:
        ParameterError: the pipeline has no stage `target`.
        EnvironmentProblem: DVC cannot answer; the message is its own.
    """
    stages = _read(root / "dvc.yaml")["stages"]
    if target is not None and target not in stages:
        raise ParameterError(f"dvc.yaml has no stage '{target}'. The stages are: {', '.join(stages)}")
    upstream = producers(stages)
    order = execution_order(upstream, [target] if target else stages)
    changes = dvc_status(root, target)
    locked = _read(root / "dvc.lock").get("stages", {})
    parameters, durations = _read(root / PARAMETERS), read_durations(root)

    states: dict[str, StageStatus] = {}
    for name in order:
        lock = locked.get(name)
        after = tuple(stage for stage in upstream[name] if states[stage].state != "up to date")
        reasons = explain(changes.get(name, []), _outs(stages, after), lock, parameters)
        state: Literal["up to date", "stale", "waiting"] = "stale" if reasons else "waiting" if after else "up to date"
        rescaled = lock is not None and _locked_parameters(lock).get("scale") not in (None, parameters.get("scale"))
        seconds = None if rescaled else durations.get(name)
        states[name] = StageStatus(name, state, tuple(reasons), after, seconds)
    return list(states.values())


def producers(stages: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """For each stage of dvc.yaml the stages whose outputs it depends on."""
    makers = {out: name for name in stages for out in _outs(stages, [name])}

    def upstream(name: str) -> tuple[str, ...]:
        dependencies = _paths(stages[name].get("deps"))
        return tuple(dict.fromkeys(makers[out] for path in dependencies for out in makers if _touch(path, out)))

    return {name: upstream(name) for name in stages}


def execution_order(upstream: Mapping[str, Iterable[str]], targets: Iterable[str]) -> list[str]:
    """`targets` and everything they rest on, each stage after those it depends on."""
    order: dict[str, None] = {}

    def visit(name: str) -> None:
        if name not in order:
            for stage in upstream[name]:
                visit(stage)
            order[name] = None

    for target in targets:
        visit(target)
    return list(order)


def dvc_status(root: Path, target: str | None = None) -> dict[str, list[Any]]:
    """What `dvc status --json` answers: stage -> its changes; stages without changes are absent.

    Raises:
        EnvironmentProblem: DVC failed (no git repository, another DVC at work, a broken dvc.yaml).
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo
    from scmrepo.exceptions import SCMError

    try:
        with contextlib.chdir(root), Repo() as repo:  # DVC names targets and paths from where it stands
            status: dict[str, list[Any]] = repo.status(targets=target, with_deps=target is not None)
    except (DvcException, SCMError) as error:
        raise EnvironmentProblem(f"DVC cannot tell the status of {root}: {error}") from error
    return status


def explain(
    changes: Iterable[Any],
    awaited: Iterable[str],
    lock: Mapping[str, Any] | None,
    parameters: Mapping[str, Any],
) -> list[str]:
    """A stage's own reasons to run, one phrase each.

    Args:
        changes: its entry in `dvc status --json`.
        awaited: outputs of upstream stages that are not up to date; their changes are not the stage's own reason.
        lock: its entry in dvc.lock, None if it never ran.
        parameters: content of params.yaml.
    """
    changes = list(changes)
    if changes and lock is None:
        return ["it has never run"]
    reasons = []
    for change in changes:
        if not isinstance(change, Mapping):
            reasons.append({"changed command": "its command changed"}.get(change, change))
            continue
        for path, what in change.get("changed deps", {}).items():
            if path == PARAMETERS:
                reasons += _parameter_changes(what, lock or {}, parameters)
            elif not any(_touch(path, out) for out in awaited):
                reasons.append(f"{path} {_WORDS.get(what, what)}")
        for path, what in change.get("changed outs", {}).items():
            reasons.append(f"its output {path} {_WORDS.get(what, what)}")
    return reasons


def read_durations(root: Path) -> dict[str, float]:
    """Stage -> seconds of its last run here, otherwise of the run recorded beside the results."""
    durations: dict[str, float] = {}
    for path in sorted(root.glob("results/*/provenance.json")):
        durations |= _read_json(path).get("seconds", {})
    return durations | _read_json(root / TIMINGS)


_WORDS: Final = {
    "modified": "changed",
    "deleted": "is absent",
    "new": "is new",
    "not in cache": "is not in DVC's cache",
}


def _parameter_changes(what: Any, lock: Mapping[str, Any], parameters: Mapping[str, Any]) -> list[str]:
    if not isinstance(what, Mapping):
        return [f"{PARAMETERS} {_WORDS.get(what, what)}"]
    before = _locked_parameters(lock)
    phrases = []
    for key, kind in what.items():
        now = _lookup(parameters, key)
        if kind == "modified" and not isinstance(now, Mapping):
            phrases.append(f"{key}: {before.get(key)} -> {now}")
        else:
            phrases.append(f"parameter {key} {_WORDS.get(kind, kind)}")
    return phrases


def _locked_parameters(lock: Mapping[str, Any]) -> dict[str, Any]:
    values: dict[str, Any] = lock.get("params", {}).get(PARAMETERS, {})
    return values


def _lookup(table: Any, key: str) -> Any:
    for part in key.split("."):
        table = table.get(part) if isinstance(table, Mapping) else None
    return table


def _outs(stages: Mapping[str, Any], names: Iterable[str]) -> list[str]:
    return [path for name in names for kind in ("outs", "metrics", "plots") for path in _paths(stages[name].get(kind))]


def _paths(entries: Any) -> list[str]:
    return [path for entry in entries or [] for path in (entry if isinstance(entry, Mapping) else [entry])]


def _touch(one: str, other: str) -> bool:
    """Whether two paths are the same or one contains the other."""
    a, b = Path(one), Path(other)
    return a == b or a in b.parents or b in a.parents


def _read(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    content: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    return content


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError):  # durations are a courtesy: without them the answer is "unknown"
        return {}
    return content
