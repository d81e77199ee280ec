"""Verdicts of whole tracks: order, repeats, downsized claims, counts, files."""

import json
from pathlib import Path

import pytest

from repro.claims import report
from repro.claims.registry import read_registry
from repro.errors import ClaimError, DataError
from tests.claims.throwaway import Project, claim, ordering

DOWNSIZED = {"id": "Z-1-ci", "statement": "It rises.", "kind": "ordering", "relation": "increasing"}


def test_downsized_claim_is_judged_at_ci_and_only_there(project: Project) -> None:
    smaller = DOWNSIZED | {"evidence": ["3D/a", "3D/b"]}
    project.claims(claim(conditions={"required": {"scale": "paper"}}, downsized=smaller))
    assert {k: v.word for k, v in project.verdicts().items()} == {"Z-1": "NOT RUN", "Z-1-ci": "NOT RUN"}
    project.evidence({"3D/a": 0.5, "3D/b": 0.6})
    assert {k: v.word for k, v in project.verdicts().items()} == {"Z-1": "NOT COMPARABLE", "Z-1-ci": "REPRODUCED"}
    project.evidence({"3D/a": 0.6, "3D/b": 0.5})
    assert project.verdicts()["Z-1-ci"].word == "NOT REPRODUCED"
    project.evidence({"3D/a": 0.5, "3D/b": 0.6}, conditions={"scale": "paper"})
    assert {k: v.word for k, v in project.verdicts().items()} == {"Z-1": "REPRODUCED"}


def test_repeated_claim_takes_the_verdict_of_its_owner(project: Project) -> None:
    repeat = {"id": "Y-1", "statement": "s", "kind": "value", "sources": [{"where": "README"}], "same_as": "Z-1"}
    project.claims(claim("Z-1"))
    project.claims(repeat, track="trackY")
    project.evidence({"3D/a": 0.6})
    verdict = project.verdicts("trackY")["Y-1"]
    assert verdict.word == "NOT REPRODUCED"
    assert verdict.reason.startswith("same as Z-1: measured 0.6")


def test_counts_judged_and_exit_codes(project: Project) -> None:
    project.claims(
        claim("Z-1"),
        claim("Z-2", evidence="5D/a"),
        claim("Z-3", evidence="3D/b"),
        {"id": "Z-4", "statement": "first", "kind": "priority", "sources": [{"where": "x"}]},
        claim("Z-5", conditions={"required": {"scale": "paper"}}),
    )
    project.evidence({"3D/a": 0.5, "3D/b": [0.5, 0.52]})
    verdicts = list(project.verdicts().values())
    assert [v.word for v in verdicts] == ["REPRODUCED", "NOT RUN", "INCONCLUSIVE", "NOT TESTABLE", "NOT COMPARABLE"]
    summary = report.summary(verdicts)
    assert (summary["judged"], summary["total"]) == (2, 5)
    assert summary["counts"] == {
        "REPRODUCED": 1,
        "NOT REPRODUCED": 0,
        "INCONCLUSIVE": 1,
        "NOT COMPARABLE": 1,
        "NOT RUN": 1,
        "NOT TESTABLE": 1,
    }
    assert report.exit_code(verdicts) == 0
    assert report.exit_code(verdicts, strict=True) == 1
    assert report.exit_code([verdicts[0], verdicts[3]], strict=True) == 0


def test_written_verdicts_hold_everything_and_repeat_byte_by_byte(project: Project) -> None:
    project.claims(claim("Z-1"), ordering("Z-2", contradiction="a against b"))
    project.evidence({"3D/a": 0.5, "3D/b": 0.6, "3D/c": 0.7}, locked=False)
    path = Path("results/trackZ/verdicts.json")
    report.write_verdicts("trackZ", path)
    first = path.read_bytes()
    report.write_verdicts("trackZ", path)
    assert path.read_bytes() == first
    data = json.loads(first)
    assert (data["track"], data["judged"], data["total"], data["source_contradicts_itself"]) == ("trackZ", 2, 2, 1)
    assert [(v["id"], v["verdict"], v["measured"]) for v in data["verdicts"]][0] == ("Z-1", "REPRODUCED", 0.5)


def test_written_verdicts_rest_on_this_track_alone(project: Project) -> None:
    repeat = {"id": "Z-2", "statement": "s", "kind": "value", "sources": [{"where": "README"}], "same_as": "Y-1"}
    project.claims(claim("Z-1"), repeat)
    project.claims(claim("Y-1"), track="trackY")
    project.evidence({"3D/a": 0.5})
    before = [v.claim.id for v in report.write_verdicts("trackZ", "out.json")]
    project.evidence({"3D/a": 0.9}, track="trackY")
    content = Path("out.json").read_bytes()
    report.write_verdicts("trackZ", "out.json")
    assert before == ["Z-1"]
    assert Path("out.json").read_bytes() == content


def test_verdicts_are_not_written_without_evidence(project: Project) -> None:
    project.claims(claim())
    with pytest.raises(ClaimError, match=r"results/trackZ/evidence.json: no such file"):
        report.write_verdicts("trackZ", "out.json")
    assert not Path("out.json").exists()


def test_full_disk_leaves_the_old_verdicts(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.claims(claim())
    project.evidence({"3D/a": 0.5})
    report.write_verdicts("trackZ", "out.json")
    content = Path("out.json").read_bytes()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(DataError, match="disk is full"):
        report.write_verdicts("trackZ", "out.json")
    assert Path("out.json").read_bytes() == content
    assert not list(project.root.glob(".*.tmp"))


def test_accepting_writes_ids_and_words(project: Project) -> None:
    project.claims(claim("Z-1"), claim("Z-2", evidence="5D/a"))
    project.evidence({"3D/a": 0.5})
    assert report.accept(project.root, "trackZ", list(project.verdicts().values())) is None
    data = json.loads((project.root / "tracks/trackZ/verdicts.json").read_text())
    assert data == {"schema": 1, "track": "trackZ", "verdicts": {"Z-1": "REPRODUCED", "Z-2": "NOT RUN"}}
    assert report.accept(project.root, "trackZ", list(project.verdicts().values())) == []


@pytest.mark.parametrize(
    "text", ["{", '{"track": "trackY", "verdicts": {}}', '{"track": "trackZ", "verdicts": {"a": "FINE"}}']
)
def test_broken_accepted_file_is_refused(project: Project, text: str) -> None:
    project.claims(claim())
    (project.root / "tracks/trackZ/verdicts.json").write_text(text)
    with pytest.raises(ClaimError, match=r"tracks/trackZ/verdicts.json"):
        report.read_accepted(project.root, "trackZ")


def test_root_is_found_from_below_and_missed_outside(project: Project, tmp_path: Path) -> None:
    inside = project.root / "tracks" / "deep"
    inside.mkdir()
    assert report.find_root(inside) == project.root
    with pytest.raises(ClaimError, match="run this inside the repository"):
        report.find_root(tmp_path)


def test_names_that_do_not_exist_get_a_hint(project: Project) -> None:
    project.claims(claim())
    registry = read_registry(project.root)
    with pytest.raises(ClaimError, match=r"no track 'trackX' \(did you mean 'trackZ'\?\)"):
        report.select_tracks(registry, ["trackX"])
    with pytest.raises(ClaimError, match=r"no claim 'Z-11' \(did you mean 'Z-1'\?\)"):
        report.find_claim(registry, "Z-11")
