"""Stage `trackC-evaluate`: the values that Track C's claims are judged by."""

import json
from typing import Any

from repro.params import Params
from repro.scores.track_c import FILES, Tables, families
from repro.stages.evidence import write_evidence
from repro.stages.paths import EVIDENCE, NODES_3D, NODES_5D, TRACK_C, VALIDATION
from repro.stages.runner import Run, run_stage, write_provenance


def main(run: Run) -> None:
    """Write results/trackC/evidence.json, and provenance.json beside it."""
    tables = Tables.read(TRACK_C)
    test_set = json.loads(VALIDATION.read_text(encoding="utf-8"))["test"]
    values = {f"test_set/{name}": {"value": value} for name, value in test_set.items()}
    sources = (NODES_3D, NODES_5D, *(TRACK_C / name for name in FILES), VALIDATION)
    conditions = conditions_of(run.params, tables)
    # claims compare numbers of the whole test set, not those of its bins
    write_evidence(EVIDENCE, conditions, families(tables), sources, lambda address: address.count("/") <= 2, values)
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


if __name__ == "__main__":
    run_stage("trackC-evaluate", main)
