"""Principles: which form of a claim is shown, and what stands behind it."""

from repro.claims import report
from repro.claims.principles import principles
from repro.claims.registry import read_registry
from tests.claims.throwaway import Project, claim


def _bound(name: str, address: str, **fields: object) -> dict[str, object]:
    own = {"kind": "bound", "bound": {"at_least": 0.4}, "reading": None, "tolerance": None, "evidence": address}
    return claim(name, **(own | fields))


def test_a_principle_is_shown_in_the_form_that_was_judged(project: Project) -> None:
    smaller = {"id": "F-P-1-ci", "statement": "R1: some.", "kind": "bound", "bound": {"at_least": 0.4}}
    project.claims(
        _bound("F-P-1", "alpha/ridge/best/noise1/n32000/r2", downsized={**smaller, "evidence": "alpha/ridge/a/r2"}),
        _bound("F-P-2", "3D/a"),
        _bound("F-L3", "3D/a"),
    )
    project.evidence({"alpha/ridge/a/r2": 0.5, "3D/a": 0.1})
    registry = read_registry(project.root)
    verdicts = report.judge_tracks(project.root, registry, registry.tracks.values())
    first, second = principles(verdicts)
    assert (first.id, first.statement, first.verdict) == ("F-P-1-ci", "R1: some.", "REPRODUCED")
    assert (first.experiment, first.evidence) == ("alpha/ridge", ("alpha/ridge/a/r2",))
    assert first.measured.startswith("0.5") and first.claimed == "≥ 0.4"
    assert (second.id, second.verdict) == ("F-P-2", "NOT REPRODUCED") and second.reason


def test_nothing_measured_is_shown_as_such(project: Project) -> None:
    project.claims(_bound("F-P-1", "alpha/ridge/best/noise1/n32000/r2"))
    registry = read_registry(project.root)
    (one,) = principles(report.judge_tracks(project.root, registry, registry.tracks.values()))
    assert (one.id, one.verdict, one.measured) == ("F-P-1", "NOT RUN", "")
