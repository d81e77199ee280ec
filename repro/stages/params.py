"""Stage `params`: check every parameter before anything runs."""

from repro.stages.runner import Run, run_stage, write_json


def main(run: Run) -> None:
    """Reaching this line means that `read_params` accepted the whole file."""
    write_json("data/params.json", {"checked": True})


if __name__ == "__main__":
    run_stage("params", main)
