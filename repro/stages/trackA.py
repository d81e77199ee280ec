"""Stage `trackA`: judge every claim of the track by the evidence."""

from repro.claims.report import write_verdicts
from repro.stages.paths import VERDICTS_A
from repro.stages.runner import Run, run_stage


def main(run: Run) -> None:
    """Write results/trackA/verdicts.json."""
    write_verdicts("trackA", VERDICTS_A)


if __name__ == "__main__":
    run_stage("trackA", main)
