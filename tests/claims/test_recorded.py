"""Evidence of large runs: copied with hashes, recomputed from its files, refused when a byte differs."""

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from repro.bounds.table import CeilingTable, DerivativeComparison
from repro.claims.recorded import MANIFEST, read_recorded, record
from repro.errors import ClaimError
from repro.files import sha256
from repro.scores.ceilings import summarise, summarise_derivatives
from repro.stages.evidence import evidence_value
from tests.claims.throwaway import Project, claim, digest

MEDIAN = "3D/21.5/r2max_median"


def _table() -> CeilingTable:
    """27 nodes at two magnitudes with bounds that no two nodes share."""
    axes = ([4000.0, 5000.0, 6000.0], [1.0, 3.0, 5.0], [-1.0, 0.0, 0.5])
    labels = np.array([(t, g, m, 0.0, 0.0) for t in axes[0] for g in axes[1] for m in axes[2]])
    n = len(labels)
    crlb = np.linspace(0.01, 0.5, n) * np.array([[0.1], [1.0]])
    known = {
        "target": "log_g",
        "free": ("T_eff", "log_g", "M_H"),
        "magnitudes": np.array([20.0, 21.5]),
        "labels": labels,
        "interior": np.ones(n, dtype=bool),
        "correlations": np.zeros((2, n, 3)),
        "rank": np.full((2, n), 3),
        "identifiable": np.ones((2, n), dtype=bool),
        "snr": np.array([[24.0], [7.1]]) * np.ones((2, n)),
        "snr_percentiles": np.array([[8.0, 24.0, 30.0], [2.0, 7.1, 9.0]]),
        "error_median": np.array([0.02, 0.07]),
        "conditions": {},
        "identities": {},
    }
    others = {f.name: crlb for f in fields(CeilingTable) if f.name not in known}  # every further array is (M, N)
    return CeilingTable(**(known | others))


def _comparison() -> DerivativeComparison:
    """Lattice against exact derivatives at four of those nodes."""
    return DerivativeComparison(
        target="log_g",
        free=("T_eff", "log_g", "M_H"),
        nodes=np.arange(4),
        labels=_table().labels[:4],
        interior=np.array([True, True, False, False]),
        difference=np.linspace(0.01, 0.12, 12).reshape(4, 3),
        crlb_ratio=np.array([0.9, 1.0, 1.1, 1.3]),
        crlb_ratio_richardson=np.array([1.0, 1.0, 1.02, 1.1]),
        crlb_ratio_spline=np.array([1.0, 1.01, 1.0, 1.05]),
        crlb=np.full(4, 0.2),
    )


@pytest.fixture
def lab(project: Project) -> Project:
    """A project after a run at scale lab."""
    results = project.root / "results" / "trackZ"
    results.mkdir(parents=True)
    _table().write(results / "ceiling_3d.h5")
    _comparison().write(results / "autodiff.h5")
    computed = summarise(_table()) | summarise_derivatives(_comparison(), "3D") | {"other/time": 3.0}
    values: dict[str, Any] = {
        address: evidence_value(value, {}, "", address.count("/") <= 2) for address, value in computed.items()
    }
    measured = values[MEDIAN]["value"]
    project.claims(
        claim(
            sources=[{"where": "log", "value": float(f"{measured:.4f}")}],
            reading={"value": float(f"{measured:.4f}"), "why": "x"},
            evidence=MEDIAN,
        )
    )
    path = project.evidence(values, conditions={"scale": "lab"})
    own = [results / "ceiling_3d.h5", results / "autodiff.h5"]
    hashes = {f"results/trackZ/{file.name}": digest(file) for file in own}
    project.edit(path, lambda data: data["dependencies"].update(hashes))
    project.lock(project.root / "data/nodes.h5", results / "table.h5", *own, path)
    (results / "provenance.json").write_text('{"device": "cpu"}')
    return project


def _folder(project: Project) -> Path:
    return project.root / "tracks" / "trackZ" / "recorded"


def test_record_copies_the_run_without_the_shared_data(lab: Project) -> None:
    written = record(lab.root, "trackZ")
    names = {Path(path).name for path in written}
    assert names == {"evidence.json", "table.h5", "ceiling_3d.h5", "autodiff.h5", "provenance.json", MANIFEST}
    manifest = json.loads((_folder(lab) / MANIFEST).read_text())
    assert manifest["files"] == {name: sha256(_folder(lab) / name) for name in names - {MANIFEST}}
    assert record(lab.root, "trackZ") == written


def test_recorded_evidence_is_judged_after_the_results_are_gone(lab: Project) -> None:
    record(lab.root, "trackZ")
    for file in (lab.root / "results" / "trackZ").iterdir():
        file.unlink()
    result = lab.run("verify", "--recorded")
    assert result.exit_code == 0, result.output
    assert "✔ REPRODUCED" in result.output
    assert "lte lab" in result.output
    assert lab.run("verify").output.count("NOT RUN") > 0


def test_values_are_recomputed_from_the_nodes(lab: Project) -> None:
    record(lab.root, "trackZ")
    evidence = read_recorded(lab.root, "trackZ")
    assert evidence is not None
    value = evidence.find(MEDIAN)
    assert value is not None
    assert value.estimate is not None
    crlb = np.linspace(0.01, 0.5, 27)
    assert value.estimate.mean == pytest.approx(np.median(1 - crlb / (5 / 3)), rel=1e-12)


def test_nothing_recorded_is_not_run(project: Project) -> None:
    project.claims(claim())
    assert read_recorded(project.root, "trackZ") is None
    result = project.run("verify", "--recorded")
    assert result.exit_code == 0
    assert "Z-1: nothing was recorded: `repro record trackZ` keeps a run at scale lab" in result.output


@pytest.mark.parametrize("name", ["evidence.json", "ceiling_3d.h5", "provenance.json"])
def test_changed_file_is_refused(lab: Project, name: str) -> None:
    record(lab.root, "trackZ")
    path = _folder(lab) / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
    result = lab.run("verify", "--recorded")
    assert result.exit_code == 2
    assert f"tracks/trackZ/recorded/{name}: is not the recorded file" in result.stderr


@pytest.mark.parametrize("name", ["evidence.json", "ceiling_3d.h5", MANIFEST])
def test_missing_file_is_refused(lab: Project, name: str) -> None:
    record(lab.root, "trackZ")
    (_folder(lab) / name).unlink()
    result = lab.run("verify", "--recorded")
    assert result.exit_code == 2
    assert f"{name}: no such file" in result.stderr


@pytest.mark.parametrize(
    ("address", "words"),
    [
        (MEDIAN, "is recorded as 0.99, but ceiling_3d.h5 beside it gives 0.847"),
        ("3D/autodiff/crlb_ratio_median", "is recorded as 0.99, but autodiff.h5 beside it gives 1.05"),
    ],
)
def test_value_that_its_nodes_do_not_give_is_refused_even_with_a_new_hash(
    lab: Project, address: str, words: str
) -> None:
    record(lab.root, "trackZ")
    evidence, manifest = _folder(lab) / "evidence.json", _folder(lab) / MANIFEST
    lab.edit(evidence, lambda data: data["values"][address].update(value=0.99))
    lab.edit(manifest, lambda data: data["files"].update({"evidence.json": sha256(evidence)}))
    with pytest.raises(ClaimError, match=words):
        read_recorded(lab.root, "trackZ")


def test_manifest_of_another_track_is_refused(lab: Project) -> None:
    record(lab.root, "trackZ")
    lab.edit(_folder(lab) / MANIFEST, lambda data: data.update(track="trackY"))
    with pytest.raises(ClaimError, match="is no manifest of trackZ"):
        read_recorded(lab.root, "trackZ")


def test_record_refuses_what_is_not_worth_keeping(lab: Project) -> None:
    path = lab.root / "results/trackZ/evidence.json"
    text = path.read_text()
    path.unlink()
    assert "no such file" in lab.run("record", "trackZ").stderr
    path.write_text(text.replace('"lab"', '"paper"'))
    assert "stale evidence" in lab.run("record", "trackZ").stderr
    path.write_text(text)
    (lab.root / "results/trackZ/ceiling_3d.h5").write_bytes(b"another")
    assert "ceiling_3d.h5: absent or not the file the evidence came from" in lab.run("record", "trackZ").stderr
    assert not _folder(lab).exists()


def test_record_is_for_large_scales(project: Project) -> None:
    project.claims(claim())
    project.evidence({"3D/a": 0.5})
    result = project.run("record", "trackZ")
    assert result.exit_code == 2
    assert "scale is ci" in result.stderr


def test_record_says_what_it_wrote(lab: Project) -> None:
    result = lab.run("record", "trackZ")
    assert result.exit_code == 0
    assert "tracks/trackZ/recorded/ceiling_3d.h5" in result.output
    assert "git add tracks/trackZ/recorded" in result.output
