"""`repro verify` as a stranger meets it: tables, exit codes, JSON, speed of its imports."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.claims.throwaway import Project, claim, ordering

HEAVY = ("torch", "pandas", "numpy", "scipy", "h5py", "rich", "matplotlib", "pandera", "sklearn")


def _mixed(project: Project) -> None:
    """One claim of every verdict."""
    project.claims(
        claim("Z-good", contradiction="README says 0.6"),
        claim("Z-bad", evidence="3D/b"),
        claim("Z-open", evidence="3D/c"),
        claim("Z-else", conditions={"required": {"scale": "paper"}}),
        claim("Z-none", evidence="5D/a", decided_by="the 5D grid"),
        {"id": "Z-first", "statement": "Nobody did it before.", "kind": "priority", "sources": [{"where": "abstract"}]},
    )
    project.evidence({"3D/a": 0.5, "3D/b": 0.6, "3D/c": [0.50, 0.52]})


def test_table_shows_every_verdict_with_its_reason(project: Project) -> None:
    _mixed(project)
    result = project.run("verify", "trackZ")
    assert result.exit_code == 1
    for text in (
        "✔ REPRODUCED ⚑",
        "✘ NOT REPRODUCED",
        "? INCONCLUSIVE",
        "≠ NOT COMPARABLE",
        "○ NOT RUN",
        "– NOT TESTABLE",
        "claimed 0.5 ± 0.01",
        "lte ci",
        "Z-bad: measured 0.600, claimed 0.5 ± 0.01: off by +0.100, 10 times the margin",
        "Z-else: scale is ci, the claim needs paper",
        "Z-none: to be decided by the 5D grid",
        "SOURCE CONTRADICTS ITSELF",
        "judged 3 of 6: ✔ 1 REPRODUCED, ✘ 1 NOT REPRODUCED, ? 1 INCONCLUSIVE",
    ):
        assert text in result.output, text
    assert "\x1b" not in result.output


@pytest.mark.parametrize("width", [60, 80, 119, 120, 160])
def test_nothing_is_wider_than_the_terminal(project: Project, monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    long = "The median over all nodes of the larger grid lies within the margin of the smaller one at every magnitude. "
    project.claims(*(claim(f"Z-{i}", statement=long * 2) for i in range(3)))
    project.evidence({"3D/a": [0.501, 0.502, 0.500]})
    lines = project.run("verify").output.splitlines()
    assert max(map(len, lines)) <= width
    assert not any(line.endswith(" ") for line in lines)
    flat = " ".join(" ".join(lines).split())
    assert flat.count("Z-1") >= 1
    if width < 120:
        assert flat.count(long.strip()) == 6


def test_colour_on_a_terminal_only(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    from click.testing import CliRunner

    from repro.cli.main import main

    _mixed(project)
    assert "\x1b[" in CliRunner().invoke(main, ["verify"], color=True).output
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in CliRunner().invoke(main, ["verify"], color=True).output


def test_terminal_without_unicode_gets_ascii(project: Project) -> None:
    _mixed(project)
    run = _process(project, "verify", environment={"PYTHONIOENCODING": "ascii"})
    assert run.returncode == 1
    assert run.stdout.isascii()
    assert "x NOT REPRODUCED" in run.stdout
    assert "0.5 +- 0.01" in run.stdout


def test_fresh_clone_answers_before_anything_ran(project: Project) -> None:
    project.claims(claim("Z-1"), ordering("Z-2"))
    result = project.run("verify")
    assert result.exit_code == 0
    assert "Z-1, Z-2: nothing was run yet: dvc repro trackZ" in result.output
    assert "judged 0 of 2: ○ 2 NOT RUN" in result.output


@pytest.mark.parametrize(
    ("value", "options", "code"),
    [
        (0.5, [], 0),
        (0.5, ["--strict"], 0),
        (0.6, [], 1),
        ([0.50, 0.52], [], 0),
        ([0.50, 0.52], ["--strict"], 1),
    ],
)
def test_exit_code(project: Project, value: float | list[float], options: list[str], code: int) -> None:
    project.claims(claim())
    project.evidence({"3D/a": value})
    assert project.run("verify", *options).exit_code == code
    assert project.run("verify", "--json", *options).exit_code == code


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda p: p.claims(claim(evidence="3D/aaa")), "claim Z-1: no value at '3D/aaa'"),
        (lambda p: p.claims(claim(tolerance=None)), "missing field 'tolerance'"),
        (lambda p: (p.root / "results/trackZ/evidence.json").write_text("{"), "evidence.json, line 1, column"),
        (lambda p: (p.root / "dvc.lock").write_text("["), "dvc.lock: cannot be read"),
    ],
)
def test_what_cannot_be_read_exits_2_in_one_line(project: Project, spoil: object, words: str) -> None:
    project.claims(claim())
    project.evidence({"3D/a": 0.5})
    spoil(project)  # type: ignore[operator]
    result = project.run("verify")
    assert result.exit_code == 2
    assert words in result.stderr
    assert result.stderr.startswith("repro: ")
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""


def test_unknown_track_and_contradicting_options_exit_2(project: Project) -> None:
    project.claims(claim())
    assert "no track 'trackX'" in project.run("verify", "trackX").stderr
    assert project.run("verify", "trackX").exit_code == 2
    assert project.run("verify", "--accepted", "--strict").exit_code == 2


def test_without_a_track_all_are_judged(project: Project) -> None:
    project.claims(claim("Z-1"))
    project.claims(claim("Y-1"), track="trackY")
    output = project.run("verify").output
    assert output.index("trackY: A test") < output.index("trackZ: A test")
    assert "judged 0 of 2" in output
    assert "trackY" not in project.run("verify", "trackZ").output


def test_json_holds_the_whole_verdict(project: Project) -> None:
    _mixed(project)
    data = json.loads(project.run("verify", "--json").stdout)
    assert data["exit_code"] == 1
    assert data["judged"] == 3
    good = data["verdicts"][0]
    assert good["id"] == "Z-good"
    assert (good["verdict"], good["measured"], good["half_width"], good["runs"]) == ("REPRODUCED", 0.5, 0.0, 1)
    assert (good["source"], good["scale"], good["source_contradicts_itself"]) == ("lte", "ci", True)


def test_accepted_verdicts_equal_exit_0_and_differ_exit_1(project: Project) -> None:
    project.claims(claim("Z-1"), claim("Z-2", evidence="3D/b"))
    project.evidence({"3D/a": 0.5, "3D/b": 0.9})
    missing = project.run("verify", "--accepted")
    assert missing.exit_code == 2
    assert "`repro accept trackZ` writes it" in missing.stderr
    assert project.run("accept").exit_code == 0
    same = project.run("verify", "--accepted")
    assert same.exit_code == 0, "an honest NOT REPRODUCED must not stop a build"
    assert "the verdicts equal the accepted ones" in same.output
    project.evidence({"3D/a": 0.5, "3D/b": 0.5})
    better = project.run("verify", "--accepted")
    assert better.exit_code == 1, "a change must stop it, for the better too"
    assert "Z-2: NOT REPRODUCED -> REPRODUCED" in better.output
    assert json.loads(project.run("verify", "--accepted", "--json").stdout)["changed"] == [
        "Z-2: NOT REPRODUCED -> REPRODUCED"
    ]


def test_new_lost_and_stale_claims_differ_from_the_accepted_ones(project: Project) -> None:
    project.claims(claim("Z-1"), claim("Z-2"))
    project.evidence({"3D/a": 0.5})
    project.run("accept")
    project.claims(claim("Z-1"), claim("Z-3"))
    output = project.run("verify", "--accepted").output
    assert "Z-3: (not judged) -> REPRODUCED" in output
    assert "Z-2: REPRODUCED -> (not judged)" in output
    (project.root / "dvc.lock").unlink()
    assert "Z-1: REPRODUCED -> NOT RUN (stale)" in project.run("verify", "--accepted").output


@pytest.mark.parametrize(
    "command", [["verify"], ["verify", "--json"], ["--help"], ["claims", "--check"], ["why", "Z-good"]]
)
def test_judging_imports_nothing_heavy(project: Project, command: list[str]) -> None:
    _mixed(project)
    code = (
        "import sys\nfrom repro.cli.main import main\n"
        f"try:\n    main({command!r})\nexcept SystemExit:\n    pass\n"
        f"print(sorted(set({HEAVY!r}) & set(sys.modules)), file=sys.stderr)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=project.root, check=True)
    assert run.stderr.strip().endswith("[]"), run.stderr


def test_help_loads_no_command() -> None:
    code = (
        "import sys\nimport repro.cli.main\nprint([m for m in sys.modules if m.startswith('repro.c') or m == 'yaml'])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "['repro.cli', 'repro.cli.main']"


def _process(project: Project, *arguments: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    import os

    command = [sys.executable, "-c", "from repro.cli.main import main; main()", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, cwd=Path(project.root), env=os.environ | environment, check=False
    )
