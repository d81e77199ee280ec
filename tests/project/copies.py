"""A throw-away copy of the working tree as its own git repository, and commands that run in it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
SMALLEST = {
    "ci__train": 160,
    "ci__val": 8,
    "ci__test": 24,
    "ci__autodiff_nodes": 1,
    "ci__step_nodes": 1,
    "ci__posterior_stars": 24,
    "ci__noise_law_stars": 2,
    "ci__epochs": 1,
    "ci__trackF__sizes": [40, 120],
    "ci__trackF__seeds": 2,
    "ci__trackF__repeated": [1.0],
    "ci__trackF__components": [3],
    "ci__trackF__pixels": [20],
    "ci__trackF__trees": 5,
    "ci__trackF__tree_share": 0.1,
    "ci__trackF__tree_rates": [0.1],
    "ci__trackF__tree_leaves": [4],
    "ci__trackF__network_levels": [1.0],
    "ci__trackF__network_sizes": [40, 120],
    "ci__trackF__epochs": 1,
    "ci__trackF__cnn_size": 40,
    "ci__trackF__cnn_batch": 8,
    "ci__trackF__cnn_kernels": [9],
    "ci__trackF__cnn_rates": [0.003],
    "ci__trackF__cnn_steps": [2],
    "ci__trackF__validation_sizes": [8],
    "ci__trackA__sizes": [40, 120],
    "ci__trackA__seeds": 2,
    "ci__trackA__epochs": 1,
    "ci__trackA__published_steps": 1,
    "ci__trackA__ablation_size": 40,
    "ci__trackA__attention_stars": 6,
    "ci__T_eff": [4750, 5000, 5250],
    "ci__M_H": [-0.5, 0.0, 0.75],
    "ci__a_M": [0.0, 0.25],
    "ci__C_M": [-0.25, 0.0],
    "nodes__T_eff": [4750, 5000, 5250],
    "nodes__log_g": [2.0, 2.5, 3.0],
    "nodes__M_H": [-0.5, -0.25, 0.0],
    "nodes__recomputed": 1,
}


def copy_smallest(root: Path, target: Path) -> Path:
    """A copy without results in which every stage has the smallest sizes that still run all of its code."""
    copy_project(root, target)
    shutil.rmtree(target / "results", ignore_errors=True)
    (target / "dvc.lock").unlink(missing_ok=True)
    set_parameters(target, **SMALLEST)
    run("git add -A && git -c user.name=a -c user.email=a@localhost commit -qm smallest", target)
    return target


def set_parameters(project: Path, **changes: object) -> None:
    """Change parameters in place; `ci__test=24` reaches into a section."""
    path = project / "params.yaml"
    content = yaml.safe_load(path.read_text())
    for key, value in changes.items():
        *sections, last = key.split("__")
        target = content
        for section in sections:
            target = target[section]
        target[last] = value
    path.write_text(yaml.safe_dump(content, sort_keys=False))


def copy_project(root: Path, target: Path) -> Path:
    """Copy what git tracks or would track (so nothing that a run left behind) and commit it there."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    answer = subprocess.run(listing, cwd=root, check=True, capture_output=True, text=True)
    for name in filter(None, answer.stdout.split("\0")):
        if (root / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, target / name)
    run("git init -q && git add -A && git -c user.name=a -c user.email=a@localhost commit -qm copy", target)
    return target


def run(script: str, folder: Path, *, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a bash script in a copy with this interpreter's commands and the copy's own `repro`."""
    answer = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        check=False,
    )
    assert not check or answer.returncode == 0, f"{script}\n{answer.stdout}\n{answer.stderr}"
    return answer


def environment(folder: Path) -> dict[str, str]:
    """Variables under which commands in `folder` use the code there."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    cache = os.environ.get("REPRO_CACHE_DIR", str(ROOT / "data/cache"))  # of molecular cross-sections, made once
    return {**os.environ, "PATH": path, "PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1", "REPRO_CACHE_DIR": cache}
