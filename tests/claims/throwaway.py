"""A throw-away project: claims, evidence and dvc.lock in a temporary folder, and the commands run inside it."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from repro.claims import report
from repro.claims.registry import read_registry
from repro.claims.verdict import Verdict
from repro.cli.main import main


def claim(name: str = "Z-1", **fields: Any) -> dict[str, Any]:
    """A valid claim of kind value about address 3D/a; `fields` replace or (None) remove its fields."""
    base = {
        "id": name,
        "statement": f"Statement of {name}.",
        "kind": "value",
        "sources": [{"where": "paper, table 1", "value": 0.5}],
        "reading": {"value": 0.5, "why": "the only one"},
        "conditions": {"required": {"noise": 1.0}, "stated": {"source": "lte"}},
        "tolerance": {"absolute": 0.01, "why": "printed digits"},
        "evidence": "3D/a",
    }
    return {key: value for key, value in (base | fields).items() if value is not None}


def ordering(name: str = "Z-2", **fields: Any) -> dict[str, Any]:
    """A valid claim that 3D/a < 3D/b < 3D/c."""
    own = {"kind": "ordering", "relation": "increasing", "evidence": ["3D/a", "3D/b", "3D/c"]}
    return claim(name, **({"reading": None, "tolerance": None} | own | fields))


class Project:
    """The folder `root` with one track, trackZ, unless another is named."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "tracks").mkdir(parents=True)

    def claims(self, *claims: dict[str, Any], track: str = "trackZ") -> Path:
        data = {"schema": 1, "track": track, "title": "A test", "claims": list(claims)}
        return self.claims_text(yaml.safe_dump(data, sort_keys=False, width=1000), track)

    def claims_text(self, text: str, track: str = "trackZ") -> Path:
        path = self.root / "tracks" / track / "claims.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return path

    def evidence(
        self,
        values: dict[str, Any],
        track: str = "trackZ",
        *,
        conditions: dict[str, Any] | None = None,
        locked: bool = True,
    ) -> Path:
        """Evidence on data/nodes.h5 and results/<track>/table.h5; a number is a deterministic value, a list runs."""
        folder = self.root / "results" / track
        folder.mkdir(parents=True, exist_ok=True)
        (self.root / "data").mkdir(exist_ok=True)
        files = [self.root / "data" / "nodes.h5", folder / "table.h5"]
        for file in files:
            if not file.exists():
                file.write_bytes(b"data")
        data = {
            "schema": 1,
            "track": track,
            "conditions": {"scale": "ci", "noise": 1.0, "source": "lte"} | (conditions or {}),
            "dependencies": {str(f.relative_to(self.root)): digest(f) for f in files},
            "values": {address: _entry(value) for address, value in values.items()},
        }
        path = folder / "evidence.json"
        path.write_text(json.dumps(data, indent=1))
        if locked:
            self.lock(*files, path)
        return path

    def lock(self, *files: Path) -> None:
        outs = [{"path": str(f.relative_to(self.root)), "hash": "md5", "md5": digest(f), "size": 4} for f in files]
        stage = {"cmd": "true", "params": {"params.yaml": {"noise": 1.0, "scale": "ci"}}, "outs": outs}
        (self.root / "dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": {"evaluate": stage}}))

    def edit(self, path: Path, change: Any) -> None:
        """Change decoded JSON in place and write it back, dvc.lock untouched."""
        data = json.loads(path.read_text())
        change(data)
        path.write_text(json.dumps(data, indent=1))

    def verdicts(self, *tracks: str) -> dict[str, Verdict]:
        registry = read_registry(self.root)
        chosen = report.select_tracks(registry, tracks)
        return {v.claim.id: v for v in report.judge_tracks(self.root, registry, chosen)}

    def judge(self, one: dict[str, Any], values: dict[str, Any], **conditions: Any) -> Verdict:
        """The verdict on one claim, given values and file-level conditions."""
        self.claims(one)
        self.evidence(values, conditions=conditions)
        return self.verdicts()[one["id"]]

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(main, list(arguments))


def digest(path: Path) -> str:
    return hashlib.md5(path.read_bytes()).hexdigest()


def _entry(value: Any) -> Any:
    if isinstance(value, dict):
        return value
    return {"runs": value} if isinstance(value, list) else {"value": value}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """An empty throw-away project, with the working directory inside it."""
    root = tmp_path / "project"
    root.mkdir()
    monkeypatch.chdir(root)
    return Project(root)
