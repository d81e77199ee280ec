"""Stage `trackC-evaluate`: the values that Track C's claims are judged by."""

import json
import math

from repro.bounds.table import CeilingTable, DerivativeComparison
from repro.files import md5
from repro.scores.ceilings import summarise, summarise_derivatives
from repro.stages.paths import AUTODIFF, CEILING, EVIDENCE, NODES_3D, TRACK_C, VALIDATION
from repro.stages.runner import Run, run_stage, write_json, write_provenance


def main(run: Run) -> None:
    """Write results/trackC/evidence.json, and provenance.json beside it."""
    params = run.params
    table = CeilingTable.read(CEILING)
    comparison = DerivativeComparison.read(AUTODIFF)
    derivatives = summarise_derivatives(comparison, f"{len(table.free)}D") if comparison.nodes.size else {}
    test_set = json.loads(VALIDATION.read_text(encoding="utf-8"))["test"]
    values = {
        **summarise(table),
        **derivatives,
        **{f"test_set/{name}": value for name, value in test_set.items()},
    }
    evidence = {
        "schema": 1,
        "track": "trackC",
        "conditions": {
            "scale": params.scale,
            "noise": params.noise,
            "source": params.source,
            "grid": f"{len(table.free)}D",
            "n_nodes": len(table.labels),
            "microturbulence": params.nodes.microturbulence,
            "noise_model": params.spectra.noise_model,
            "zenith_angle": params.trackC_ceiling.zenith_angle,
            "field_angle": params.trackC_ceiling.field_angle,
        },
        "dependencies": {str(path): md5(path) for path in (NODES_3D, CEILING, AUTODIFF, VALIDATION)},
        "values": {address: evidence_value(value) for address, value in values.items()},
    }
    write_json(EVIDENCE, evidence)
    write_provenance(run, TRACK_C)


def evidence_value(value: float) -> dict[str, float | str | None]:
    """One entry of the evidence; a value that this grid does not define says so."""
    if math.isfinite(value):
        return {"value": float(value)}
    return {
        "value": None,
        "reason": "not defined on this grid: the quantity lies outside the magnitudes or has no bound",
    }


if __name__ == "__main__":
    run_stage("trackC-evaluate", main)
