"""`repro why`: the chain behind a verdict."""

import json

from tests.claims.throwaway import Project, claim


def _flat(text: str) -> str:
    return " ".join(text.split())


def test_every_rung_is_shown(project: Project) -> None:
    project.claims(
        claim("Z-1", control="Z-2", other_source={"absolute": 0.1, "why": "opacities"}),
        claim("Z-2", statement="The corrected experiment.", evidence="3D/b"),
    )
    project.evidence({"3D/a": [0.50, 0.505, 0.51], "3D/b": 0.5})
    provenance = project.root / "results/trackZ/provenance.json"
    provenance.write_text(json.dumps({"device": "cpu", "versions": {"torch": "2.0", "numpy": "2.4"}}))
    result = project.run("why", "Z-1")
    assert result.exit_code == 0
    text = _flat(result.output)
    for part in (
        "Z-1: INCONCLUSIVE",
        "✔ claim Statement of Z-1. value, tracks/trackZ/claims.yaml line 5",
        "✔ sources 0.5: paper, table 1",
        "✔ reading tested: 0.5 ± 0.01 because the only one margin 0.01: printed digits",
        "margin for another source 0.1: opacities",
        "✔ metric 3D/a = 0.505000 ±",
        "✔ conditions scale ci, noise 1, source lte",
        "✔ data data/nodes.h5 md5",
        "✔ parameters evaluate: noise=1.0, scale=ci",
        "✔ environment device: cpu versions: torch 2.0, numpy 2.4",
        "✔ seeds 3D/a: runs 0.5, 0.505, 0.51; spread 0.005; bootstrap over stars 0",
        "✔ control Z-2: The corrected experiment. REPRODUCED",
    ):
        assert part in text, part


def test_broken_rungs_are_named(project: Project) -> None:
    project.claims(
        claim(
            sources=[{"where": "README", "value": 0.5}, {"where": "log", "value": 0.7}],
            conditions={"required": {"scale": "paper"}},
        )
    )
    project.evidence({"3D/a": 0.5})
    lock = project.root / "dvc.lock"
    lock.write_text(lock.read_text().replace("path: data/nodes.h5", "path: data/others.h5"))
    text = _flat(project.run("why", "Z-1").output)
    assert "Z-1: NOT RUN (stale)" in text
    assert "the values differ by more than their printed digits explain" in text
    assert "scale: the claim says paper, the evidence ci" in text
    assert "stale: dvc.lock does not list data/nodes.h5" in text
    assert "Rungs that break, from the claim to the machine: sources, conditions, data" in text


def test_when_every_rung_holds_the_number_differs(project: Project) -> None:
    project.claims(claim())
    project.evidence({"3D/a": 0.6})
    assert "Every rung holds: the number itself differs" in project.run("why", "Z-1").output


def test_before_anything_ran_and_for_what_cannot_be_measured(project: Project) -> None:
    first = {"id": "Z-2", "statement": "We are first.", "kind": "priority", "sources": [{"where": "abstract"}]}
    project.claims(claim(), first)
    assert "✘ metric 3D/a: nothing was run yet (dvc repro trackZ)" in _flat(project.run("why", "Z-1").output)
    assert "Z-2: NOT TESTABLE" in project.run("why", "Z-2").output


def test_repeated_claim_leads_to_its_owner(project: Project) -> None:
    repeat = {"id": "Z-2", "statement": "s", "kind": "value", "sources": [{"where": "README"}], "same_as": "Z-1"}
    project.claims(claim(), repeat)
    project.evidence({"3D/a": 0.5})
    text = _flat(project.run("why", "Z-2").output)
    assert "judged as Z-1, which owns it" in text
    assert "metric 3D/a = 0.500000" in text


def test_unknown_claim_exits_2_with_a_hint(project: Project) -> None:
    project.claims(claim())
    result = project.run("why", "Z-11")
    assert result.exit_code == 2
    assert "did you mean 'Z-1'?" in result.stderr
