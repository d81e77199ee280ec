"""Stage `validate`: every spectrum set against its schema, before anything is trained or judged on it."""

from repro.spectra.sampling import SPLITS
from repro.spectra.schemas import validate_splits
from repro.stages.paths import VALIDATION, set_path
from repro.stages.runner import Run, run_stage, write_json


def main(run: Run) -> None:
    """Write results/validate/summary.json: sizes and percentiles of magnitude and signal-to-noise of each set."""
    write_json(VALIDATION, validate_splits({split: set_path(split) for split in SPLITS}))


if __name__ == "__main__":
    run_stage("validate", main)
