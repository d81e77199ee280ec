"""Stage `trackA-evaluate`: the values that Track A's claims are judged by.

What it takes from other tracks, the arms of the baselines and the ceilings of the test stars, is kept beside Track A's
own tables, so that the evidence can be made again from the files of one folder.
"""

from collections.abc import Iterable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from repro.bounds.posterior.table import PosteriorTable
from repro.bounds.star_table import StarBounds
from repro.bounds.table import CeilingTable
from repro.bounds.van_trees_table import VanTreesTable
from repro.experiments.data import Data
from repro.experiments.table import ArmTable
from repro.params import Params
from repro.scores.contenders import baseline_arms
from repro.scores.star_references import star_references
from repro.scores.track_a import ARMS, BASELINES, FILES, REFERENCES, Tables, compared, families
from repro.scores.track_f import ARMS as MATRIX
from repro.scores.track_f import read_arms
from repro.scores.vit_size import size_items
from repro.spectra.generate import snr_column
from repro.stages.evidence import write_evidence
from repro.stages.paths import (
    CEILING_5D,
    EVIDENCE_A,
    POSTERIOR,
    SPECTRA,
    STARS,
    TRACK_A,
    TRACK_F,
    VAN_TREES,
    VIT,
)
from repro.stages.runner import Run, run_stage, write_provenance
from repro.stages.trainings import trainings_of

SOURCES: Final = (
    *(TRACK_A / name for name in FILES),
    *(TRACK_F / name for name in MATRIX),
    *(POSTERIOR, STARS, CEILING_5D, VAN_TREES),
)
_ROWS: Final = 512  # spectra whose SNR are computed together


def main(run: Run) -> None:
    """Write results/trackA/evidence.json, baselines.h5 and references.h5, and provenance.json beside them.

    The provenance tells what each training took and computed with, where the trainings were run in this folder; the
    scores themselves are made in float64.
    """
    baseline_arms(read_arms(TRACK_F)).write(TRACK_A / BASELINES)
    _write_references(run.params, run.device)
    tables = Tables.read(TRACK_A)
    sizes = {address: {"value": value} for address, value in size_items()}
    write_evidence(EVIDENCE_A, conditions_of(run.params, tables), families(tables), SOURCES, compared, sizes)
    write_provenance(run, TRACK_A, {"training": trainings_of(VIT)})


def conditions_of(params: Params, tables: Tables) -> dict[str, Any]:
    """What holds for all values that do not say otherwise."""
    return {
        "scale": params.scale,
        "noise": params.noise,
        "source": params.source,
        "sampling": params.spectra.sampling,
        "noise_model": params.spectra.noise_model,
        "n_test": len(tables.known.own.stars),
    }


def _write_references(params: Params, device: str) -> None:
    arms = ArmTable.read(TRACK_A / ARMS)
    data = Data(SPECTRA, params.seed, params.noise, device)
    stars = data.stars
    blocks = [slice(first, first + _ROWS) for first in range(0, len(stars.rows), _ROWS)]
    snr = {
        "column": _joined(snr_column(data.test.flux[part], stars.error[part]) for part in blocks),
        "noisy": _joined(np.median(stars.x[part] / stars.error[part], axis=1) for part in blocks),
    }
    star_references(
        arms.stars,
        snr,
        StarBounds.read(STARS),
        PosteriorTable.read(POSTERIOR),
        CeilingTable.read(CEILING_5D),
        VanTreesTable.read(VAN_TREES),
    ).write(TRACK_A / REFERENCES)


def _joined(parts: Iterable[NDArray[Any]]) -> NDArray[np.float64]:
    return np.concatenate(list(parts)).astype(np.float64)


if __name__ == "__main__":
    run_stage("trackA-evaluate", main)
