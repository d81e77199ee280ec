"""Stage `trackC`: judge every claim of the track by the evidence."""

from repro.claims.report import write_verdicts
from repro.stages.paths import VERDICTS
from repro.stages.runner import Run, run_stage


def main(run: Run) -> None:
    """Write results/trackC/verdicts.json."""
    write_verdicts("trackC", VERDICTS)


if __name__ == "__main__":
    run_stage("trackC", main)
