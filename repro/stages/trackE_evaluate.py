"""Stage `trackE-evaluate`: the values that Track E's claims on linear models and error arrays are judged by."""

from repro.scores.track_e import families
from repro.scores.track_f import Tables, compared
from repro.stages.evidence import write_evidence
from repro.stages.paths import EVIDENCE_E, TRACK_C, TRACK_F
from repro.stages.runner import Run, run_stage, write_provenance
from repro.stages.trackF_evaluate import SOURCES, conditions_of


def main(run: Run) -> None:
    """Write results/trackE/evidence.json, and provenance.json beside it."""
    tables = Tables.read(TRACK_F, TRACK_C)
    write_evidence(EVIDENCE_E, conditions_of(run.params, tables), families(tables), SOURCES, compared)
    write_provenance(run, EVIDENCE_E.parent)


if __name__ == "__main__":
    run_stage("trackE-evaluate", main)
