"""Stage `trackC-evaluate`: the values that Track C's claims are judged by."""

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from repro.bounds.table import CeilingTable
from repro.files import md5
from repro.params import Params
from repro.plots.published import CEILINGS, HISTOGRAM_MAGNITUDE
from repro.scores.bootstrap import Scored
from repro.scores.ceilings import summarise, summarise_derivatives
from repro.scores.efficiency import summarise_efficiency, undefined
from repro.scores.leak import summarise_leaks
from repro.scores.models import summarise_models
from repro.scores.neighbours import summarise_neighbours
from repro.scores.noise_laws import summarise_noise_laws
from repro.scores.nuisances import summarise_nuisances
from repro.scores.overlay import overlay, summarise_overlay
from repro.scores.posterior import summarise_posterior
from repro.scores.source_difference import rank_difference, summarise_difference
from repro.scores.stars import summarise_leak, summarise_stars, summarise_van_trees
from repro.scores.steps import summarise_steps
from repro.scores.weighted import summarise_weighted
from repro.stages.paths import EVIDENCE, NODES_3D, NODES_5D, TRACK_C, VALIDATION
from repro.stages.runner import Run, run_stage, write_json, write_provenance
from repro.stages.trackC_tables import FILES, Tables

Values = Mapping[str, float | Scored]

_NOT_DEFINED = "not defined on this grid or for so few stars: outside the magnitudes, without a bound, or an empty bin"


def main(run: Run) -> None:
    """Write results/trackC/evidence.json, and provenance.json beside it."""
    tables = Tables.read()
    values: dict[str, Any] = {}
    for conditions, measured, reasons in families(tables):
        for address, value in measured.items():
            values[address] = evidence_value(value, address, conditions, reasons)
    evidence = {
        "schema": 1,
        "track": "trackC",
        "conditions": conditions_of(run.params, tables),
        "dependencies": {str(path): md5(path) for path in (NODES_3D, NODES_5D, *FILES, VALIDATION)},
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


def families(tables: Tables) -> Iterator[tuple[dict[str, Any], Values, Mapping[str, str]]]:
    """Values that share conditions: these, the values, and why some of them are not defined."""
    yield {}, summarise(tables.three), {}
    if tables.derivatives.nodes.size:
        yield {}, summarise_derivatives(tables.derivatives, "3D"), {}
        yield {}, summarise_steps(tables.steps), {}
    test_set = json.loads(VALIDATION.read_text(encoding="utf-8"))["test"]
    yield {}, {f"test_set/{name}": value for name, value in test_set.items()}, {}

    five = {"grid": "5D", "n_nodes": len(tables.five.labels)}
    yield five, summarise(tables.five), {}
    yield five, summarise_nuisances(tables.nuisances, tables.three), {}
    yield five, summarise_neighbours(tables.neighbours), {}
    yield five, summarise_stars(tables.stars), {}
    yield five, summarise_van_trees(tables.van_trees), {}
    if tables.leak.stars.size:
        yield five, summarise_leak(tables.leak), {}
    yield {}, _differences(tables.three), {}
    yield five, _differences(tables.five), {}
    summed = {**five, "n_test": len(tables.posterior.stars)}
    yield summed, summarise_posterior(tables.posterior), {}
    yield (
        {**five, "n_test": len(tables.noise_laws.stars)},
        summarise_noise_laws(tables.noise_laws, tables.predictions),
        {},
    )

    yield five, summarise_models(tables.predictions, tables.curve), {}
    yield five, summarise_weighted(tables.predictions, tables.stars), {}
    result = tables.efficiency()
    yield summed, summarise_efficiency(result), undefined(result)
    alarms = summarise_leaks(result)
    yield summed, {**alarms, "efficiency/n_leaks": sum(alarms.values())}, {}
    yield summed, summarise_overlay(overlay(tables.predictions, tables.stars, tables.posterior)), {}


def _differences(table: CeilingTable) -> Values:
    """Our distribution of bounds beside the published one, where the table has its magnitude."""
    name, published = f"{len(table.free)}D", CEILINGS.get(len(table.free))
    rows = np.flatnonzero(table.magnitudes == HISTOGRAM_MAGNITUDE)
    if published is None or not rows.size:
        return {}
    difference = rank_difference(table, int(rows[0]), published.quantile)
    return summarise_difference(difference, f"source/{name}/{HISTOGRAM_MAGNITUDE:g}")


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
