"""Stage `fetch`: what a source needs from outside, present and identified, before anything is made of it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from repro.files import sha256
from repro.params import Params
from repro.progress import progress
from repro.sources.bosz.fetch import fetch_bosz
from repro.sources.bosz.source import BoszSource
from repro.sources.hdf5.reader import open_file
from repro.stages.bosz import bosz_settings
from repro.stages.lattices import lattices_of
from repro.stages.paths import BOSZ, FETCHED, bosz_manifest
from repro.stages.runner import Run, run_stage, write_json


def main(run: Run) -> None:
    """Write data/fetched.json: what there is, by name and hash, and what the archive does not have."""
    collect = {"lte": _nothing, "bosz": _bosz, "hdf5": _author_files}[run.params.source]
    write_json(FETCHED, {"source": run.params.source, **collect(run.params)})


def _nothing(_params: Params) -> dict[str, Any]:
    return {}


def _bosz(params: Params) -> dict[str, Any]:
    settings, labels = bosz_settings(params), wanted_labels(params)
    folder, manifest = BOSZ / str(settings.release), bosz_manifest(settings.release)
    with progress(f"bosz {settings.release}: files") as report:
        summary = fetch_bosz(settings, labels, folder, manifest, progress=report)
    for line in summary.lines():
        print(line)
    summary.require_success()
    content = BoszSource(settings, labels, folder, manifest).fingerprint()
    return {"release": summary.release, "missing": sorted(summary.missing), "fingerprint": content}


def _author_files(params: Params) -> dict[str, Any]:
    named = params.hdf5
    paths = (*named.train, *named.val, *named.test, named.nodes)
    for path in paths:
        with open_file(path):  # says what is wrong with any of them before the long work
            pass
    return {"sha256": {path: sha256(path) for path in paths}}


def wanted_labels(params: Params) -> NDArray[np.float64]:
    """Labels (n, 5) of the nodes of both grids, each once."""
    return np.unique(np.concatenate([lattice.labels for lattice in lattices_of(params).values()]), axis=0)


if __name__ == "__main__":
    run_stage("fetch", main)
