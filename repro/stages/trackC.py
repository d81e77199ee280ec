"""Stage `trackC`: judge every claim of the track by the evidence."""

from repro.claims.report import write_verdicts
from repro.files import remove_leftovers
from repro.stages.runner import Run, run_stage
from repro.stages.trackC_ceiling import FOLDER

OUTPUT = f"{FOLDER}/verdicts.json"


def main(run: Run) -> None:
    """Write results/trackC/verdicts.json."""
    remove_leftovers(FOLDER)
    write_verdicts("trackC", OUTPUT)


if __name__ == "__main__":
    run_stage("trackC", main)
