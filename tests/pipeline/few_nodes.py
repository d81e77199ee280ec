"""A copy of the project whose node grids are small and built, not unpacked."""

from pathlib import Path
from typing import Final

from tests.project.copies import copy_smallest, set_parameters

ROOT: Final = Path(__file__).resolve().parents[2]
AXES: Final = {
    "T_eff": (4750.0, 5000.0, 5250.0),
    "log_g": (2.0, 2.5),
    "M_H": (-0.5, 0.0, 0.75),
    "a_M": (0.0, 0.25),
    "C_M": (-0.25, 0.0),
}


def small_project(tmp_path: Path, **changes: object) -> Path:
    """A copy with the few nodes of AXES and other parameters changed, none of its grids from a pack."""
    project = copy_smallest(ROOT, tmp_path / "project")
    axes = {name: list(values) for name, values in AXES.items()}
    nodes = {f"nodes__{name}": axes[name] for name in ("T_eff", "log_g", "M_H")}
    size = {f"ci__{name}": axes[name] for name in ("T_eff", "M_H", "a_M", "C_M")}
    set_parameters(project, ci__grid="build", **nodes, **size, **changes)
    return project
