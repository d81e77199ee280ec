"""Everything that Track A measured: its tables, read together, and the evidence values that they give.

Addresses are documented where they are made:

repro.scores.ablations           <experiment>/<model>[/<setting>]/<place>/...
                                 <experiment>/<model>/<setting a>-<setting b>/<place>/r2_gain
repro.scores.headline            headline/, fast/, baseline/, gain/, validation/, test/, labels/, labels_on_node/,
                                 invariance/, snr/, mag/, snr_definition/
repro.scores.growth              scaling/, crossover/
repro.scores.ceiling_gap         ceiling/, gap/, eta/, ratio/, leak
repro.scores.node_lattice        lattice/<model>/
repro.scores.residual_profiles   residual/
repro.scores.attention_items     attention/
repro.scores.published_vit_items published/
repro.scores.vit_size            vit/parameters/, of the network itself; needs torch, so made by the stage alone

There is one signal-to-noise ratio: the median over the pixels of a star's noise-free flux over its error at noise level
1. The published column, their 95th percentile, is the control `snr_column`.

Values of the largest size of a scale (headline, gain, gap, eta, validation) say in their conditions `model`, `n_train`
and `recipe`: `published` where every run of the published architecture had the published 200 epochs in batches
of 256, otherwise `short`.

Needs numpy and scipy alone (and h5py to read files), so that stored evidence can be judged without torch or pandas.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from repro.errors import DataError
from repro.experiments.attention_table import AttentionTable
from repro.experiments.table import ArmTable
from repro.scores.ablations import ablation_items, cell_items
from repro.scores.attention_items import attention_items
from repro.scores.ceiling_gap import against_ceilings, ceiling_items
from repro.scores.contenders import Contenders
from repro.scores.efficiency import Efficiency
from repro.scores.growth import growth_items
from repro.scores.headline import definition_items, headline_items, star_items
from repro.scores.node_lattice import lattice_items
from repro.scores.published_vit import BATCH, EPOCHS
from repro.scores.published_vit_items import published_items
from repro.scores.residual_profiles import residual_items
from repro.scores.sensitivity import Item
from repro.scores.star_references import StarReferences
from repro.scores.track_f import Family, by_conditions

ARMS: Final = "vit.h5"
BASELINES: Final = "baselines.h5"  # of the matrix of experiments, carried along
REFERENCES: Final = "references.h5"  # of Track C and the test set, carried along
ATTENTION: Final = "attention.h5"
FILES: Final = (ARMS, BASELINES, REFERENCES, ATTENTION)

PUBLISHED_MODEL: Final = "vit"

_COMPARED: Final = ("headline", "fast", "baseline", "scaling", "ceiling")


@dataclass(frozen=True)
class Tables:
    """The arms of Track A, those that they are compared with, what test stars are measured against, attention maps."""

    known: Contenders
    references: StarReferences
    attention: AttentionTable

    @classmethod
    def read(cls, folder: Path) -> "Tables":
        """Read all of `FILES` in a folder.

        Raises:
            DataError: a file is absent or broken, or two belong to different test stars.
        """
        arms, baselines = (ArmTable.read(folder / name) for name in (ARMS, BASELINES))
        references = StarReferences.read(folder / REFERENCES)
        if arms.stars.tolist() != references.stars.tolist():
            raise DataError(
                f"{folder / REFERENCES}: belongs to other test stars than {ARMS}; run trackA-evaluate again"
            )
        return cls(Contenders(arms, baselines), references, AttentionTable.read(folder / ATTENTION))

    @cached_property
    def efficiency(self) -> Efficiency:
        """Every model at its largest size against every ceiling, on identical stars."""
        return against_ceilings(self.known.predictions(), self.references)

    @property
    def recipe(self) -> str:
        """That of the headline, see the module: by the updates that its runs had."""
        main = self.known.main
        planned = EPOCHS * math.ceil(main.n_train / BATCH)
        steps = self.known.scores.facts(main).get("steps", ())
        whole = main.model == PUBLISHED_MODEL and bool(steps) and all(run == planned for run in steps)
        return "published" if whole else "short"


def families(tables: Tables) -> Iterator[Family]:
    """Values that share conditions: how these differ from those of the file, the values, and why some have none."""
    yield from by_conditions(items(tables))


def items(tables: Tables) -> Iterator[Item]:
    """All values, each with its conditions."""
    known, references = tables.known, tables.references
    yield from cell_items(known.scores)
    yield from ablation_items(known.scores)
    yield from headline_items(known, references, tables.recipe)
    yield from star_items(known)
    yield from definition_items(known, references)
    yield from growth_items(known)
    yield from ceiling_items(known, references, tables.recipe)
    yield from lattice_items(known, references.optimum)
    yield from residual_items(known)
    yield from attention_items(tables.attention)
    yield from published_items()


def compared(address: str) -> bool:
    """Whether a claim may compare the value of an address with others, so that its resamples are kept."""
    parts = address.split("/")
    return parts[-1] == "r2" and parts[0] in _COMPARED and not {"quantile", "snr_column"} & set(parts)
