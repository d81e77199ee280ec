"""Stage `trackE`: judge every claim of the track by the evidence."""

from repro.claims.report import write_verdicts
from repro.stages.paths import VERDICTS_E
from repro.stages.runner import Run, run_stage


def main(run: Run) -> None:
    """Write results/trackE/verdicts.json."""
    write_verdicts("trackE", VERDICTS_E)


if __name__ == "__main__":
    run_stage("trackE", main)
