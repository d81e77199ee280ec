"""`repro accept`."""

import json

from tests.claims.throwaway import Project, claim


def test_first_time_then_changes_then_nothing(project: Project) -> None:
    project.claims(claim("Z-1"), claim("Z-2", evidence="3D/b"))
    project.evidence({"3D/a": 0.5, "3D/b": 0.5})
    assert project.run("accept", "trackZ").output == "trackZ: 2 verdicts accepted for the first time\n"
    project.evidence({"3D/a": 0.5, "3D/b": 0.9})
    assert project.run("accept").output == "trackZ: 1 changed\n  Z-2: REPRODUCED -> NOT REPRODUCED\n"
    assert project.run("accept").output == "trackZ: nothing changed\n"
    data = json.loads((project.root / "tracks/trackZ/verdicts.json").read_text())
    assert data["verdicts"] == {"Z-1": "REPRODUCED", "Z-2": "NOT REPRODUCED"}


def test_stale_verdicts_are_not_accepted(project: Project) -> None:
    project.claims(claim())
    project.evidence({"3D/a": 0.5})
    project.run("accept")
    before = (project.root / "tracks/trackZ/verdicts.json").read_bytes()
    (project.root / "dvc.lock").unlink()
    result = project.run("accept")
    assert result.exit_code == 2
    assert "Nothing was accepted" in result.stderr
    assert (project.root / "tracks/trackZ/verdicts.json").read_bytes() == before


def test_a_track_that_never_ran_can_be_accepted(project: Project) -> None:
    project.claims(claim())
    assert project.run("accept").exit_code == 0
    assert project.run("verify", "--accepted").exit_code == 0
