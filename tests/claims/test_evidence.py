"""Evidence files: format, staleness, and what is said about values that are not there."""

import json
from typing import Any

import pytest
import yaml

from repro.claims.evidence import lock_hashes, read_evidence
from repro.errors import ClaimError
from tests.claims.throwaway import Project

BAD = {
    "no JSON": (lambda text: text[:50], ", column "),
    "not an object": (lambda text: "[]", "expected a JSON object"),
    "unknown field": (
        lambda text: text.replace('"values"', '"vlaues"'),
        "unknown field 'vlaues' (did you mean 'values'?)",
    ),
    "other schema": (lambda text: text.replace('"schema": 1', '"schema": 9'), "schema is 9"),
    "other track": (lambda text: text.replace('"trackZ"', '"trackY"'), "track is 'trackY', expected 'trackZ'"),
    "no scale": (lambda text: text.replace('"scale": "ci",', ""), "conditions: missing 'scale'"),
    "no noise": (lambda text: text.replace('"noise": 1.0,', ""), "conditions: missing 'noise'"),
    "not a number": (lambda text: text.replace("0.25", "NaN"), "value at '3D/a': 'value' must hold finite numbers"),
    "infinite": (lambda text: text.replace("0.25", "Infinity"), "value at '3D/a': 'value' must hold finite numbers"),
    "text": (lambda text: text.replace("0.25", '"0.25"'), "value at '3D/a': 'value' must hold finite numbers"),
    "true": (lambda text: text.replace("0.25", "true"), "value at '3D/a': 'value' must hold finite numbers"),
    "no runs": (lambda text: text.replace('"value": 0.25', '"runs": []'), "'runs' must hold finite numbers"),
    "both": (lambda text: text.replace('"value": 0.25', '"value": 0.25, "runs": [1]'), "either 'value'"),
    "neither": (lambda text: text.replace('"value": 0.25', ""), "either 'value'"),
    "negative error": (
        lambda text: text.replace('"value": 0.25', '"value": 0.25, "bootstrap_error": -1'),
        "'bootstrap_error' must be",
    ),
    "unknown part of a value": (
        lambda text: text.replace('"value": 0.25', '"value": 0.25, "sigma": 1'),
        "value at '3D/a': unknown field 'sigma'",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_broken_evidence_is_refused_with_place_and_rule(project: Project, name: str) -> None:
    change, words = BAD[name]
    path = project.evidence({"3D/a": 0.25})
    path.write_text(change(path.read_text()))
    with pytest.raises(ClaimError) as error:
        read_evidence(project.root, "trackZ")
    assert str(error.value).startswith("results/trackZ/evidence.json")
    assert words in str(error.value)


def test_no_evidence_is_none(project: Project) -> None:
    assert read_evidence(project.root, "trackZ") is None


def test_evidence_of_the_present_data_is_fresh(project: Project) -> None:
    project.evidence({"3D/a": 0.25})
    evidence = read_evidence(project.root, "trackZ")
    assert evidence is not None
    assert evidence.stale == ""


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda p: (p.root / "dvc.lock").unlink(), "no dvc.lock"),
        (lambda p: _touch_lock(p, "data/nodes.h5", "0" * 32), "data/nodes.h5 is another one in dvc.lock"),
        (lambda p: _touch_lock(p, "results/trackZ/evidence.json", "0" * 32), "was changed after the run"),
        (lambda p: _touch_lock(p, "data/nodes.h5", None), "dvc.lock does not list data/nodes.h5"),
    ],
)
def test_evidence_of_other_data_is_stale(project: Project, change: Any, words: str) -> None:
    project.evidence({"3D/a": 0.25})
    change(project)
    evidence = read_evidence(project.root, "trackZ")
    assert evidence is not None
    assert words in evidence.stale
    unlocked = read_evidence(project.root, "trackZ", check_lock=False)
    assert unlocked is not None
    assert unlocked.stale == ""


def test_changing_a_value_by_hand_makes_evidence_stale(project: Project) -> None:
    path = project.evidence({"3D/a": 0.25})
    project.edit(path, lambda data: data["values"]["3D/a"].update(value=0.5))
    evidence = read_evidence(project.root, "trackZ")
    assert evidence is not None
    assert "results/trackZ/evidence.json was changed after the run" in evidence.stale


def test_what_a_stage_wrote_wins_over_what_another_read(project: Project) -> None:
    stages = {
        "evaluate": {"deps": [{"path": "x", "md5": "old"}, {"path": "pinned", "md5": "p"}]},
        "make": {"outs": [{"path": "x", "md5": "new"}]},
    }
    (project.root / "dvc.lock").write_text(json.dumps({"schema": "2.0", "stages": stages}))
    assert lock_hashes(project.root) == {"x": "new", "pinned": "p"}


@pytest.mark.parametrize("text", ["stages: [", "[1, 2]", "stages: {a: {outs: [{md5: x}]}}"])
def test_broken_lock_is_refused(project: Project, text: str) -> None:
    (project.root / "dvc.lock").write_text(text)
    with pytest.raises(ClaimError, match=r"dvc\.lock: cannot be read"):
        lock_hashes(project.root)


@pytest.mark.parametrize(
    ("address", "mistaken", "near"),
    [
        ("3D/21.5/medain", True, "3D/21.5/median"),
        ("3D/medain", False, ""),  # the family 3D holds no value of its own
        ("medain", True, ""),
        ("5D/21.5/median", False, "3D/21.5/median"),
        ("3D/18/mean", False, "3D/21.5/mean"),  # known name, not reported at 18
    ],
)
def test_misspelt_and_absent_addresses_are_told_apart(
    project: Project, address: str, mistaken: bool, near: str
) -> None:
    project.evidence({"3D/21.5/median": 1.0, "3D/21.5/mean": 1.0, "3D/18/median": 1.0})
    evidence = read_evidence(project.root, "trackZ")
    assert evidence is not None
    assert bool(evidence.misspelt(address)) is mistaken
    assert near in evidence.misspelt(address) + evidence.nearest(address)


def test_single_run_borrows_the_spread_of_the_nearest_experiment(project: Project) -> None:
    values = {"cnn/8000/r2": [0.7], "cnn/500/r2": [0.5, 0.6], "mlp/8000/r2": [0.1, 0.9], "cnn/8000/mae": [0.1, 0.5]}
    project.evidence(values)
    evidence = read_evidence(project.root, "trackZ")
    assert evidence is not None
    value = evidence.find("cnn/8000/r2")
    assert value is not None
    assert value.estimate is not None
    assert value.estimate.borrowed == (pytest.approx(0.1 / 2**0.5), 2)


def test_bootstrap_error_comes_from_replicates_when_it_is_not_given(project: Project) -> None:
    project.evidence({"3D/a": {"value": 1.0, "replicates": [0.9, 1.0, 1.1]}})
    evidence = read_evidence(project.root, "trackZ")
    assert evidence is not None
    value = evidence.find("3D/a")
    assert value is not None
    assert value.estimate is not None
    assert value.estimate.bootstrap == pytest.approx(0.1)


def _touch_lock(project: Project, path: str, md5: str | None) -> None:
    """Give `path` another hash in dvc.lock, or (None) take it out."""
    file = project.root / "dvc.lock"
    lock = yaml.safe_load(file.read_text())
    stage = lock["stages"]["evaluate"]
    stage["outs"] = [out | ({"md5": md5} if out["path"] == path else {}) for out in stage["outs"]]
    stage["outs"] = [out for out in stage["outs"] if out["md5"] is not None]
    file.write_text(yaml.safe_dump(lock))
