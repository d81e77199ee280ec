"""Reads the tables of the PFS exposure time calculator that lie beside the code (tables/README.md says where from)."""

import json
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np

_FOLDER = files("repro.instrument") / "tables"


@cache
def array(name: str) -> np.ndarray:
    """One array of pfs_mr_tables.npz in float64, read-only; pfs_mr.json gives its axes and units."""
    with (_FOLDER / "pfs_mr_tables.npz").open("rb") as handle, np.load(handle, allow_pickle=False) as tables:
        values = tables[name].astype(np.float64)
    values.flags.writeable = False
    return values


@cache
def notes() -> dict[str, Any]:
    """Content of pfs_mr.json: units, variance formula, published signal-to-noise ratios."""
    return json.loads((_FOLDER / "pfs_mr.json").read_text(encoding="utf-8"))
