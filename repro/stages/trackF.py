"""Stage `trackF`: judge every claim of the track by the evidence, and draw what becomes of the design principles."""

from repro.claims.principles import principles
from repro.claims.report import write_verdicts
from repro.plots.principles import draw
from repro.stages.paths import PRINCIPLES, VERDICTS_F
from repro.stages.runner import Run, run_stage


def main(run: Run) -> None:
    """Write results/trackF/verdicts.json and principles.png."""
    draw(list(principles(write_verdicts("trackF", VERDICTS_F))), PRINCIPLES)


if __name__ == "__main__":
    run_stage("trackF", main)
