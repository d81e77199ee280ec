"""Stage `trackF`: judge every claim of the track by the evidence."""

from repro.claims.report import write_verdicts
from repro.stages.paths import VERDICTS_F
from repro.stages.runner import Run, run_stage


def main(run: Run) -> None:
    """Write results/trackF/verdicts.json."""
    write_verdicts("trackF", VERDICTS_F)


if __name__ == "__main__":
    run_stage("trackF", main)
