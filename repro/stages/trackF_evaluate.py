"""Stage `trackF-evaluate`: the values that Track F's claims are judged by, and the leaderboard."""

from typing import Any

from repro.params import Params
from repro.scores.track_f import ARMS, CEILINGS, Tables, compared, families
from repro.stages.evidence import write_evidence
from repro.stages.paths import EVIDENCE_F, LEADERBOARD, TRACK_C, TRACK_F
from repro.stages.runner import Run, run_stage, write_json, write_provenance

SOURCES = (*(TRACK_F / name for name in ARMS), *(TRACK_C / name for name in CEILINGS))


def main(run: Run) -> None:
    """Write results/trackF/evidence.json and leaderboard.json, and provenance.json beside them."""
    tables = Tables.read(TRACK_F, TRACK_C)
    conditions = conditions_of(run.params, tables)
    write_evidence(EVIDENCE_F, conditions, families(tables), SOURCES, compared)
    write_json(LEADERBOARD, tables.leaderboard(conditions).as_json())
    write_provenance(run, TRACK_F)


def conditions_of(params: Params, tables: Tables) -> dict[str, Any]:
    """What holds for all values of the matrix."""
    return {
        "scale": params.scale,
        "noise": params.noise,
        "source": params.source,
        "sampling": params.spectra.sampling,
        "noise_model": params.spectra.noise_model,
        "n_test": len(tables.arms.stars),
        "tree_share": params.size.trackF.tree_share,
    }


if __name__ == "__main__":
    run_stage("trackF-evaluate", main)
