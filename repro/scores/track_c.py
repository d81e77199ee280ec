"""Everything that Track C measured: its tables, read together, and the evidence values that they give.

Needs numpy alone (and h5py to read files), so that stored evidence can be judged without torch or pandas.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from repro.bounds.leak_table import LeakTable
from repro.bounds.neighbours_table import NeighbourTable
from repro.bounds.noise_law_table import NoiseLawTable
from repro.bounds.nuisance_table import NuisanceTable
from repro.bounds.posterior.table import PosteriorTable
from repro.bounds.star_table import StarBounds
from repro.bounds.steps_table import StepStudy
from repro.bounds.table import CeilingTable, DerivativeComparison
from repro.bounds.van_trees_table import VanTreesTable
from repro.scores.bootstrap import Scored
from repro.scores.ceilings import summarise, summarise_derivatives
from repro.scores.efficiency import (
    Ceiling,
    Efficiency,
    efficiency,
    kit_ceilings,
    median_curve,
    summarise_efficiency,
    undefined,
)
from repro.scores.leak import summarise_leaks
from repro.scores.models import summarise_models
from repro.scores.neighbours import summarise_neighbours
from repro.scores.noise_laws import summarise_noise_laws
from repro.scores.nuisances import summarise_nuisances
from repro.scores.overlay import overlay, summarise_overlay
from repro.scores.posterior import summarise_posterior
from repro.scores.predictions import PredictionTable
from repro.scores.published import CEILINGS, HISTOGRAM_MAGNITUDE
from repro.scores.source_difference import rank_difference, summarise_difference
from repro.scores.stars import summarise_leak, summarise_stars, summarise_van_trees
from repro.scores.steps import summarise_steps
from repro.scores.weighted import summarise_weighted

Values = Mapping[str, float | Scored]

# what the stages leave in a folder: file -> its table, in the order of the fields of `Tables`
FILES: Final[dict[str, Any]] = {
    "ceiling_3d.h5": CeilingTable,
    "ceiling_5d.h5": CeilingTable,
    "autodiff.h5": DerivativeComparison,
    "steps.h5": StepStudy,
    "neighbours.h5": NeighbourTable,
    "nuisances.h5": NuisanceTable,
    "stars.h5": StarBounds,
    "van_trees.h5": VanTreesTable,
    "leak.h5": LeakTable,
    "posterior.h5": PosteriorTable,
    "noise_laws.h5": NoiseLawTable,
    "predictions.h5": PredictionTable,
}


@dataclass(frozen=True)
class Tables:
    """What the stages of Track C left behind."""

    three: CeilingTable
    five: CeilingTable
    derivatives: DerivativeComparison
    steps: StepStudy
    neighbours: NeighbourTable
    nuisances: NuisanceTable
    stars: StarBounds
    van_trees: VanTreesTable
    leak: LeakTable
    posterior: PosteriorTable
    noise_laws: NoiseLawTable
    predictions: PredictionTable

    @classmethod
    def read(cls, folder: Path) -> "Tables":
        """Read all of `FILES` in a folder. Raises DataError as `CeilingTable.read`."""
        tables: list[Any] = [kind.read(folder / name) for name, kind in FILES.items()]
        return cls(*tables)

    @property
    def curve(self) -> Ceiling:
        """The ceiling as published: the median over nodes of the 5D table, at the SNR of each test star."""
        return median_curve(self.stars.stars, self.stars.snr, self.five)

    def efficiency(self) -> Efficiency:
        """Every model against every ceiling, on identical stars."""
        return efficiency(self.predictions, kit_ceilings(self.stars, self.posterior, self.five))


def families(tables: Tables) -> Iterator[tuple[dict[str, Any], Values, Mapping[str, str]]]:
    """Values that share conditions: how these differ from those of the 3D grid, the values, and why some have none."""
    yield {}, summarise(tables.three), {}
    if tables.derivatives.nodes.size:
        yield {}, summarise_derivatives(tables.derivatives, "3D"), {}
        yield {}, summarise_steps(tables.steps), {}
    yield {}, _differences(tables.three), {}

    five = {"grid": "5D", "n_nodes": len(tables.five.labels)}
    yield five, summarise(tables.five), {}
    yield five, _differences(tables.five), {}
    yield five, summarise_nuisances(tables.nuisances, tables.three), {}
    yield five, summarise_neighbours(tables.neighbours), {}
    yield five, summarise_stars(tables.stars), {}
    yield five, summarise_van_trees(tables.van_trees), {}
    if tables.leak.stars.size:
        yield five, summarise_leak(tables.leak), {}
    summed = {**five, "n_test": len(tables.posterior.stars)}
    yield summed, summarise_posterior(tables.posterior), {}
    shaped = {**five, "n_test": len(tables.noise_laws.stars)}
    yield shaped, summarise_noise_laws(tables.noise_laws, tables.predictions), {}

    yield five, summarise_models(tables.predictions, tables.curve), {}
    yield five, summarise_weighted(tables.predictions, tables.stars), {}
    result = tables.efficiency()
    yield summed, summarise_efficiency(result), undefined(result)
    alarms = summarise_leaks(result)
    yield summed, {**alarms, "efficiency/n_leaks": sum(alarms.values())}, {}
    yield summed, summarise_overlay(overlay(tables.predictions, tables.stars, tables.posterior)), {}


def _differences(table: CeilingTable) -> Values:
    """Our distribution of bounds beside the published one, where the table has its magnitude."""
    published = CEILINGS.get(len(table.free))
    rows = np.flatnonzero(table.magnitudes == HISTOGRAM_MAGNITUDE)
    if published is None or not rows.size:
        return {}
    difference = rank_difference(table, int(rows[0]), published.quantile)
    return summarise_difference(difference, f"source/{len(table.free)}D/{HISTOGRAM_MAGNITUDE:g}")
