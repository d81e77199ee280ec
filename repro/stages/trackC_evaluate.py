"""Stage `trackC-evaluate`: the values that Track C's claims are judged by."""

import json
import math
from collections.abc import Mapping
from typing import Any

from repro.files import md5
from repro.params import Params
from repro.scores.bootstrap import Scored
from repro.scores.track_c import FILES, Tables, families
from repro.stages.paths import EVIDENCE, NODES_3D, NODES_5D, TRACK_C, VALIDATION
from repro.stages.runner import Run, run_stage, write_json, write_provenance

_NOT_DEFINED = "not defined on this grid or for so few stars: outside the magnitudes, without a bound, or an empty bin"


def main(run: Run) -> None:
    """Write results/trackC/evidence.json, and provenance.json beside it."""
    tables = Tables.read(TRACK_C)
    test_set = json.loads(VALIDATION.read_text(encoding="utf-8"))["test"]
    values: dict[str, Any] = {f"test_set/{name}": {"value": value} for name, value in test_set.items()}
    for conditions, measured, reasons in families(tables):
        for address, value in measured.items():
            values[address] = evidence_value(value, address, conditions, reasons)
    sources = (NODES_3D, NODES_5D, *(TRACK_C / name for name in FILES), VALIDATION)
    evidence = {
        "schema": 1,
        "track": "trackC",
        "conditions": conditions_of(run.params, tables),
        "dependencies": {str(path): md5(path) for path in sources},
        "values": values,
    }
    write_json(EVIDENCE, evidence)
    write_provenance(run, TRACK_C)


def conditions_of(params: Params, tables: Tables) -> dict[str, Any]:
    """What holds for all values; those of the 5D grid say so themselves."""
    return {
        "scale": params.scale,
        "noise": params.noise,
        "source": params.source,
        "sampling": params.spectra.sampling,
        "grid": "3D",
        "n_nodes": len(tables.three.labels),
        "n_test": len(tables.predictions.stars),
        "microturbulence": params.nodes.microturbulence,
        "noise_model": params.spectra.noise_model,
        "zenith_angle": params.trackC_ceiling.zenith_angle,
        "field_angle": params.trackC_ceiling.field_angle,
    }


def evidence_value(
    value: float | Scored, address: str, conditions: Mapping[str, Any], reasons: Mapping[str, str]
) -> dict[str, Any]:
    """One entry of the evidence; a value that is not defined says why.

    Resamples are kept of numbers of the whole test set, which claims compare; bins keep their standard error.
    """
    own = {"conditions": dict(conditions)} if conditions else {}
    number = value.value if isinstance(value, Scored) else float(value)
    if not math.isfinite(number):
        return {"value": None, "reason": reasons.get(address, _NOT_DEFINED), **own}
    if not isinstance(value, Scored):
        return {"value": number, **own}
    entry: dict[str, Any] = {"runs": list(value.runs)} if len(value.runs) > 1 else {"value": number}
    whole = address.count("/") <= 2 and all(map(math.isfinite, value.replicates))
    if whole and value.replicates:
        entry["replicates"] = [float(f"{each:.6g}") for each in value.replicates]
    elif math.isfinite(value.error):
        entry["bootstrap_error"] = value.error
    return {**entry, **own}


if __name__ == "__main__":
    run_stage("trackC-evaluate", main)
