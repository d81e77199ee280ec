"""`repro leaderboard` as a stranger meets it."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from repro.cli.main import main
from repro.scores.arms import ArmScores
from repro.scores.board import Leaderboard, Optimum
from repro.scores.leaderboard import leaderboard
from tests.scores.arm_tables import Maker, everything, small

ROOT = Path(__file__).resolve().parents[2]
FACTS = {"scale": "ci", "source": "lte", "noise": 1.0, "n_test": 60}


@pytest.fixture(scope="module")
def board() -> Leaderboard:
    return leaderboard(ArmScores(small()), FACTS, Optimum(1.0, 0.795, 0.014, 48))


@pytest.fixture
def place(board: Leaderboard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone with a leaderboard and without data, to work in."""
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    shutil.copy(ROOT / "params.yaml", tmp_path)
    path = tmp_path / "results" / "trackF" / "leaderboard.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(board.as_json()))
    monkeypatch.chdir(tmp_path)
    return path


def run(*options: str, code: int = 0, columns: int | None = None) -> str:
    environment = {"COLUMNS": str(columns) if columns else None, "TERM": "dumb"}
    result: Result = CliRunner().invoke(main, ["leaderboard", *options], env=environment)
    assert result.exit_code == code, result.output
    return result.output if code == 0 else result.stderr


def row(text: str, model: str) -> str:
    return next(line for line in text.splitlines() if line.startswith(model + " "))


def test_by_default_models_stand_against_noise_at_the_largest_size(place: Path, board: Leaderboard) -> None:
    text = run()
    assert "R2 of log g by noise level, 8000 training spectra" in text
    entry = next(e for e in board.at(1.0, 8000) if e.model == "ridge")
    assert f"{entry.r2:.3f}±" in row(text, "Ridge")
    flat = " ".join(text.split())
    for part in ("60 test stars", "Source lte, scale ci", "up to 3 seeds", "90 % interval", "R2 = 0.795±.014"):
        assert part in flat, part
    resolved = [c.resolved for c in board.comparisons if c.size == 8000]
    assert f"Resolved: {sum(resolved)} of {len(resolved)} differences" in flat
    best = board.at(1.0, 8000)[0]
    assert "●" in text and best.best


def test_one_noise_level_shows_sizes_and_one_place_shows_all_scores(place: Path, board: Leaderboard) -> None:
    text = run("--noise", "1")
    assert "noise level 1" in text and "1000" in text.splitlines()[1] and "8000" in text.splitlines()[1]
    assert run("--by", "size") == text
    text = run("--noise", "1", "--size", "8000")
    for entry in board.at(1.0, 8000):
        assert f"{entry.rmse:.3f}±" in text and f"{entry.mae:.3f}±" in text
    assert "alpha 100" in text and "ridge out of fold" in text
    open_ = [c for c in board.comparisons if (c.level, c.size) == (1.0, 8000) and not c.resolved]
    assert open_ and "Not resolved:" in text
    assert "1000 training spectra" in run("--size", "1000")


def test_everything_fits_100_columns_and_narrow_terminals_lose_nothing(place: Path) -> None:
    big = leaderboard(ArmScores(everything(stars=30)), FACTS)
    place.write_text(json.dumps(big.as_json()))
    for options in ((), ("--noise", "1"), ("--noise", "1", "--size", "8000"), ("--configurations",), ("--tree",)):
        text = run(*options)
        assert max(map(len, text.splitlines())) <= 100, options
        assert "…" not in text
    narrow = run(columns=60)
    assert max(map(len, narrow.splitlines())) <= 60 and "…" not in narrow
    assert narrow.count("Model \\ noise") == 2
    numbers = {word for line in run().splitlines() for word in line.split() if "±." in word}
    assert numbers == {word for line in narrow.splitlines() for word in line.split() if "±." in word}


def test_configurations_give_the_setting_and_what_to_expect(place: Path, board: Leaderboard) -> None:
    text = run("--configurations", "--noise", "1")
    entry = next(e for e in board.at(1.0, 8000) if e.model == "lightgbm")
    line = row(text, "LightGBM")
    assert "rate 0.05, leaves 31" in line and f"{entry.r2:.3f}±" in line and " 8000 " in line
    assert "CNN" in text


def test_settings_that_differ_between_runs_are_counted(place: Path) -> None:
    maker = Maker(sizes=(10,))
    for alpha in (1, 10):
        maker.add("alpha", "ridge", f"alpha={alpha}", 1.0, 10, 0.5)
    table = maker.table()
    table.validation_r2[:] = [0.5, 0.5, 0.1, 0.1, 0.1, 0.5]
    place.write_text(json.dumps(leaderboard(ArmScores(table), FACTS).as_json()))
    assert "alpha 1 in 2 of 3 runs; alpha 10 in 1" in run("--configurations")


def test_the_tree_is_printed_with_how_it_came_about(place: Path, board: Leaderboard) -> None:
    text = run("--tree")
    assert text.splitlines()[1].startswith(("├─", "Template")) and f"all {len(board.recommendations)}" in text
    assert "Run at a part of the matrix only" in text


def test_what_is_left_out_comes_from_the_parameters(place: Path) -> None:
    text = run("--left-out")
    assert "What scale ci leaves to scale lab" in text and "10000, 16000" in row(text, "training spectra")
    data = json.loads(run("--left-out", "--json"))
    assert {
        "what": "training spectra",
        "left": data["left_out"][0]["left"],
        "here": data["left_out"][0]["here"],
    } in data["left_out"]
    text = place.read_text().replace('"scale": "ci"', '"scale": "paper"')
    place.write_text(text)
    assert "leaves nothing out" in run("--left-out", code=2)


def test_principles_stand_next_to_their_experiment(place: Path) -> None:
    claims = place.parents[2] / "tracks" / "trackF" / "claims.yaml"
    claims.parent.mkdir(parents=True)
    claims.write_text(
        "schema: 1\ntrack: trackF\ntitle: t\nclaims:\n"
        "  - {id: F-P-R2, statement: 'R2: alpha grows.', kind: ordering, relation: increasing,\n"
        "     sources: [{where: principles}],\n"
        "     evidence: [alpha/ridge/best/noise0/n8/log10_alpha, alpha/ridge/best/noise1/n8/log10_alpha]}\n"
    )
    text = run("--principles")
    assert "R2: alpha grows." in text and "NOT RUN" in text and "alpha/ridge" in text
    (one,) = json.loads(run("--principles", "--json"))["principles"]
    assert one["id"] == "F-P-R2" and len(one["evidence"]) == 2


def test_json_is_the_file(place: Path) -> None:
    assert json.loads(run("--json")) == json.loads(place.read_text())


def test_mistakes_are_named(place: Path) -> None:
    assert "3 was not run; there are 0, 0.1, 1" in run("--noise", "3", code=2)
    assert "--size" in run("--size", "5", code=2)
    place.unlink()
    assert "leaderboard.json: no such file; `dvc repro trackF` makes it" in run(code=2)


def test_it_answers_without_torch_pandas_or_scipy(place: Path) -> None:
    code = (
        "import sys; from click.testing import CliRunner; from repro.cli.main import main\n"
        "assert CliRunner().invoke(main, ['leaderboard']).exit_code == 0\n"
        "print([m for m in ('torch', 'pandas', 'scipy', 'lightgbm', 'matplotlib', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=place.parent)
    assert done.stdout.strip() == "[]"
