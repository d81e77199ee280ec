"""`repro claims`: listing, contradictions, and the check of addresses."""

import json

from tests.claims.throwaway import Project, claim, ordering


def test_listing(project: Project) -> None:
    project.claims(claim(), ordering())
    output = project.run("claims").output
    assert "Z-1" in output
    assert "0.5 ± 0.01" in output
    assert "rises" in output
    assert output.endswith("2 claims in 1 track\n")


def test_contradictions_show_the_sources(project: Project) -> None:
    values = [{"where": "README", "value": 0.5}, {"where": "log", "value": 0.7, "note": "median"}]
    project.claims(claim("Z-1", sources=values, contradiction="one is wrong"), claim("Z-2"))
    output = project.run("claims", "--contradictions").output
    assert "0.7          log (median)" in output
    assert "differ beyond their printed digits: 0.5 against 0.7" in output
    assert "one is wrong" in output
    assert "0.5 is tested: the only one" in output
    assert "Z-2" not in output
    assert output.endswith("1 claim on which the documents disagree\n")


def test_json(project: Project) -> None:
    project.claims(claim())
    (one,) = json.loads(project.run("claims", "--json").output)
    assert one["reading"] == {"value": 0.5, "why": "the only one"}
    assert one["evidence"] == {"form": "value", "addresses": ["3D/a"]}


def test_check_lists_what_is_absent_and_fails_on_misprints(project: Project) -> None:
    project.claims(claim("Z-1"), claim("Z-2", evidence="5D/a"))
    assert "0 addresses filled, 2 not run, 0 misspelt" in project.run("claims", "--check").output
    project.evidence({"3D/a": 0.5})
    good = project.run("claims", "--check")
    assert good.exit_code == 0
    lines = (project.root / "tracks/trackZ/claims.yaml").read_text().splitlines()
    line = next(i for i, text in enumerate(lines, 1) if "id: Z-2" in text)
    assert f"claims.yaml, line {line}: claim Z-2: not run: 5D/a; the nearest is 3D/a" in good.output
    project.claims(claim("Z-1"), claim("Z-2", evidence="3D/aa"))
    bad = project.run("claims", "--check")
    assert bad.exit_code == 2
    assert "claim Z-2: no value at '3D/aa' in results/trackZ/evidence.json (did you mean '3D/a'?)" in bad.output
    assert "1 addresses filled, 0 not run, 1 misspelt" in bad.output


def test_broken_registry_exits_2(project: Project) -> None:
    project.claims(claim(kind="valve"))
    result = project.run("claims")
    assert result.exit_code == 2
    assert "did you mean 'value'?" in result.stderr
