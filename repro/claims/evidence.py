"""Evidence: measured values with their conditions and the hashes of the data they come from."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import yaml

from repro.claims.estimate import Estimate, standard_deviation
from repro.claims.located import Scalar, did_you_mean, is_number
from repro.errors import ClaimError
from repro.files import md5

SCHEMA = 1
_TOP = ("schema", "track", "conditions", "dependencies", "values")
_VALUE = ("value", "reason", "runs", "bootstrap_error", "replicates", "conditions")
_NEEDED_CONDITIONS = ("scale", "source", "noise")


@dataclass(frozen=True)
class Value:
    """One measured value; `estimate` is None where the run found none, and `reason` says why."""

    address: str
    estimate: Estimate | None
    conditions: Mapping[str, Scalar]
    reason: str = ""


@dataclass(frozen=True)
class Evidence:
    """The evidence of one track. `stale` says why it does not belong to the data in dvc.lock ("" if it does)."""

    track: str
    file: str
    conditions: Mapping[str, Scalar]
    dependencies: Mapping[str, str]
    values: Mapping[str, Value]
    stale: str = ""

    @property
    def scale(self) -> str:
        return str(self.conditions["scale"])

    @property
    def source(self) -> str:
        return str(self.conditions["source"])

    def find(self, address: str) -> Value | None:
        """The value at `address`; a seeded one that ran once comes with the spread of the nearest experiment."""
        value = self.values.get(address)
        return value and self._with_spread(value)

    def misspelt(self, address: str) -> str:
        """Why an absent address must be a mistake: its family was measured, and no value anywhere has its name.

        "" for an address of a family that was not run, or that does not report this name.
        """
        family, name = _split(address)
        siblings = self._by_family.get(family, [])
        if name in self._by_name or (family and not siblings):
            return ""
        return f"no value at '{address}' in {self.file}{did_you_mean(address, siblings)}"

    def nearest(self, address: str) -> str:
        """The words "; the nearest is x" for the address of the same name that shares most parts, or ""."""
        parts = address.split("/")
        same = [a.split("/") for a in self._by_name.get(parts[-1], [])]
        close = "/".join(max(same, key=lambda a: sum(map(str.__eq__, a, parts)), default=[]))
        return f"; the nearest is {close}" if close else ""

    @cached_property
    def _by_family(self) -> dict[str, list[str]]:
        """All but the last part of an address -> the addresses that begin with it."""
        found: dict[str, list[str]] = {}
        for address in self.values:
            found.setdefault(_split(address)[0], []).append(address)
        return found

    @cached_property
    def _by_name(self) -> dict[str, list[str]]:
        """Last part of an address -> the addresses that end in it."""
        found: dict[str, list[str]] = {}
        for address in self.values:
            found.setdefault(_split(address)[1], []).append(address)
        return found

    def _with_spread(self, value: Value) -> Value:
        """A seeded experiment that ran once borrows the spread of the nearest one: same name, longest common family."""
        estimate = value.estimate
        if estimate is None or not estimate.seeded or estimate.runs > 1:
            return value
        name = _split(value.address)[1]
        candidates = [
            (-_common(value.address, a), a, v.estimate)
            for a, v in self.values.items()
            if v.estimate and v.estimate.seeded and v.estimate.runs > 1 and _split(a)[1] == name
        ]
        if not candidates:
            return value
        other = min(candidates, key=lambda c: c[:2])[2]
        return replace(value, estimate=replace(estimate, borrowed=(other.spread, other.runs)))


def read_evidence(root: Path, track: str, *, check_lock: bool = True) -> Evidence | None:
    """The evidence in results/<track>/evidence.json, or None before the track ran.

    Args:
        root: the project's folder.
        track: the track's name.
        check_lock: compare the hashes with dvc.lock and fill `stale`.

    Raises:
        ClaimError: the file breaks its format, with the place and the rule.
    """
    path = root / "results" / track / "evidence.json"
    shown = str(path.relative_to(root))
    if not path.exists():
        return None
    evidence = parse_evidence(read_json(path, shown), track, shown)
    return replace(evidence, stale=_staleness(root, evidence, md5(path))) if check_lock else evidence


def parse_evidence(data: Any, track: str, shown: str) -> Evidence:
    """Check decoded JSON against the format of an evidence file.

    Raises:
        ClaimError: it breaks the format, with the address and the rule.
    """
    _fields(data, _TOP, _TOP, shown)
    if data["schema"] != SCHEMA:
        raise ClaimError(f"{shown}: schema is {data['schema']!r}, this version reads {SCHEMA}")
    if data["track"] != track:
        raise ClaimError(f"{shown}: track is {data['track']!r}, expected '{track}'")
    conditions = _conditions(data["conditions"], f"{shown}: conditions")
    for name in _NEEDED_CONDITIONS:
        if name not in conditions:
            raise ClaimError(f"{shown}: conditions: missing '{name}'")
    dependencies, values = data["dependencies"], data["values"]
    if not isinstance(dependencies, dict) or not all(isinstance(h, str) for h in dependencies.values()):
        raise ClaimError(f"{shown}: dependencies must map each file to its md5")
    if not isinstance(values, dict) or not values:
        raise ClaimError(f"{shown}: values must map at least one address to a value")
    parsed = {address: _value(address, entry, conditions, shown) for address, entry in values.items()}
    return Evidence(track, shown, conditions, dependencies, parsed)


def read_json(path: Path, shown: str) -> Any:
    """Decode a JSON file.

    Raises:
        ClaimError: the file is absent, unreadable or no JSON (with line and column).
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ClaimError(f"{shown}: no such file") from None
    except json.JSONDecodeError as error:
        raise ClaimError(f"{shown}, line {error.lineno}, column {error.colno}: not valid JSON: {error.msg}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ClaimError(f"{shown}: cannot be read: {error}") from error


def lock_hashes(root: Path) -> dict[str, str] | None:
    """Path -> md5 of every file in dvc.lock (what a stage wrote wins over what another read); None without the file.

    Raises:
        ClaimError: dvc.lock is not what DVC writes.
    """
    path = root / "dvc.lock"
    return _lock_hashes(path, path.stat().st_mtime_ns) if path.exists() else None


@lru_cache(maxsize=1)  # every track asks for it
def _lock_hashes(path: Path, _modified: int) -> dict[str, str]:
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        stages = (yaml.load(path.read_text(encoding="utf-8"), Loader=loader) or {}).get("stages", {}).values()
        found: dict[str, str] = {}
        for role in ("deps", "outs"):
            for stage in stages:
                found |= {entry["path"]: str(entry["md5"]) for entry in stage.get(role, []) if "md5" in entry}
    except (OSError, UnicodeDecodeError, yaml.YAMLError, AttributeError, KeyError, TypeError) as error:
        raise ClaimError(f"dvc.lock: cannot be read as a DVC lock file: {' '.join(str(error).split())}") from error
    return found


def _staleness(root: Path, evidence: Evidence, own: str) -> str:
    lock = lock_hashes(root)
    if lock is None:
        return "there is no dvc.lock to compare with"
    for path, digest in {**evidence.dependencies, evidence.file: own}.items():
        if path not in lock:
            return f"dvc.lock does not list {path}"
        if lock[path] != digest:
            change = "was changed after the run" if path == evidence.file else "is another one in dvc.lock"
            return f"{path} {change} (md5 {digest[:8]}, dvc.lock {lock[path][:8]})"
    return ""


def _value(address: str, entry: Any, file_conditions: Mapping[str, Scalar], shown: str) -> Value:
    where = f"{shown}: value at '{address}'"
    _fields(entry, _VALUE, (), where)
    if ("value" in entry) == ("runs" in entry):
        raise ClaimError(f"{where}: give either 'value' (deterministic) or 'runs' (one number per seed)")
    conditions = {**file_conditions, **_conditions(entry.get("conditions", {}), where)}
    if "value" in entry and entry["value"] is None:
        return Value(address, None, conditions, str(entry.get("reason", "the run found no value")))
    runs = entry.get("runs", [entry.get("value")])
    replicates = entry.get("replicates", [])
    for name, numbers in (("runs" if "runs" in entry else "value", runs), ("replicates", replicates)):
        if not isinstance(numbers, list) or not all(map(is_number, numbers)) or (name == "runs" and not numbers):
            raise ClaimError(f"{where}: '{name}' must hold finite numbers, found {numbers!r}"[:300])
    error = entry.get("bootstrap_error", 0.0)
    if not is_number(error) or error < 0:
        raise ClaimError(f"{where}: 'bootstrap_error' must be a finite number >= 0, found {error!r}")
    if error == 0.0 and len(replicates) > 1:
        error = standard_deviation(tuple(replicates))
    values, samples = tuple(map(float, runs)), tuple(map(float, replicates))
    return Value(address, Estimate(values, "runs" in entry, float(error), samples), conditions)


def _conditions(data: Any, where: str) -> dict[str, Scalar]:
    if not isinstance(data, dict):
        raise ClaimError(f"{where}: conditions must map names to values")
    for name, value in data.items():
        if not isinstance(value, str | bool) and not is_number(value):
            raise ClaimError(f"{where}: condition '{name}' must be a number, a text or true/false, found {value!r}")
    return data


def _fields(data: Any, allowed: tuple[str, ...], needed: tuple[str, ...], where: str) -> None:
    if not isinstance(data, dict):
        raise ClaimError(f"{where}: expected a JSON object, found {type(data).__name__}")
    for name in data:
        if name not in allowed:
            raise ClaimError(f"{where}: unknown field '{name}'{did_you_mean(name, allowed)}")
    for name in needed:
        if name not in data:
            raise ClaimError(f"{where}: missing field '{name}'")


def _split(address: str) -> tuple[str, str]:
    family, _, name = address.rpartition("/")
    return family, name


def _common(first: str, second: str) -> int:
    """How many leading parts two addresses share."""
    count = 0
    for a, b in zip(first.split("/"), second.split("/"), strict=False):
        if a != b:
            break
        count += 1
    return count
