"""The pipeline on sets whose five labels all lie between the nodes."""

import json
from pathlib import Path

import pytest

from tests.project.copies import copy_smallest, run, set_parameters

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_track_c_on_continuous_labels(tmp_path: Path) -> None:
    project = copy_smallest(ROOT, tmp_path / "project")
    set_parameters(project, spectra__sampling="continuous", ci__posterior_stars=4)
    run("dvc repro trackC", project)
    evidence = json.loads((project / "results/trackC/evidence.json").read_text())
    assert evidence["conditions"]["sampling"] == "continuous"
    values = evidence["values"]
    assert values["mmse/flux/n_stars"]["value"] == 4
    assert values["mmse/flux/monte_carlo_r2"]["value"] > 0
    # what belongs to the lines of the lattice is absent, not made up
    assert "mmse/flux+error/r2" not in values and not (project / "results/trackC/figures/error_leak.png").exists()
    assert values["noise_laws/n_stars"]["value"] == 0
