"""How measured values become entries of an evidence file."""

import math
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from repro.files import md5
from repro.scores.bootstrap import Scored
from repro.stages.runner import write_json

NOT_DEFINED = "not defined on this grid or for so few stars: outside the magnitudes, without a bound, or an empty bin"

# values that share conditions: how these differ from those of the file, the values, and why some have none
Values = Mapping[str, float | Scored]
Family = tuple[Mapping[str, Any], Values, Mapping[str, str]]


def write_evidence(
    path: Path,
    conditions: Mapping[str, Any],
    families: Iterable[Family],
    sources: Iterable[Path],
    compared: Callable[[str], bool],
    more: Mapping[str, Any] | None = None,
) -> None:
    """Write the evidence of a track, results/<track>/evidence.json.

    Args:
        conditions: what holds for all values that do not say otherwise.
        families: the values.
        sources: the files that they come from.
        compared: whether a claim may compare the value of an address with others, so that its resamples are kept;
            other values keep their standard error.
        more: entries that are ready already.
    """
    values = dict(more or {})
    for own, measured, reasons in families:
        for address, value in measured.items():
            values[address] = evidence_value(value, own, reasons.get(address, NOT_DEFINED), compared(address))
    evidence = {
        "schema": 1,
        "track": path.parent.name,
        "conditions": dict(conditions),
        "dependencies": {str(source): md5(source) for source in sources},
        "values": values,
    }
    write_json(path, evidence)


def evidence_value(value: float | Scored, conditions: Mapping[str, Any], reason: str, compared: bool) -> dict[str, Any]:
    """One entry of the evidence; a value that is not defined says why."""
    own = {"conditions": dict(conditions)} if conditions else {}
    number = value.value if isinstance(value, Scored) else float(value)
    if not math.isfinite(number):
        return {"value": None, "reason": reason, **own}
    if not isinstance(value, Scored):
        return {"value": number, **own}
    entry: dict[str, Any] = {"runs": list(value.runs)} if value.runs else {"value": number}
    if compared and value.replicates and all(map(math.isfinite, value.replicates)):
        entry["replicates"] = [float(f"{each:.6g}") for each in value.replicates]
    elif math.isfinite(value.error):
        entry["bootstrap_error"] = value.error
    return {**entry, **own}
