"""The tables of Track C, read together for its evidence and its figures."""

from dataclasses import dataclass
from typing import Final

from repro.bounds.leak_table import LeakTable
from repro.bounds.neighbours_table import NeighbourTable
from repro.bounds.noise_law_table import NoiseLawTable
from repro.bounds.nuisance_table import NuisanceTable
from repro.bounds.posterior.table import PosteriorTable
from repro.bounds.star_table import StarBounds
from repro.bounds.steps_table import StepStudy
from repro.bounds.table import CeilingTable, DerivativeComparison
from repro.bounds.van_trees_table import VanTreesTable
from repro.scores.efficiency import Ceiling, Efficiency, efficiency, kit_ceilings, median_curve
from repro.scores.predictions import PredictionTable
from repro.stages.paths import (
    AUTODIFF,
    CEILING_3D,
    CEILING_5D,
    LEAK,
    NEIGHBOURS,
    NOISE_LAWS,
    NUISANCES,
    POSTERIOR,
    PREDICTIONS,
    STARS,
    STEPS,
    VAN_TREES,
)

FILES: Final = (
    *(CEILING_3D, CEILING_5D, AUTODIFF, STEPS, NEIGHBOURS, NUISANCES, STARS, VAN_TREES, LEAK),
    *(POSTERIOR, NOISE_LAWS, PREDICTIONS),
)


@dataclass(frozen=True)
class Tables:
    """What the stages of Track C left behind, in the order of `FILES`."""

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
    def read(cls) -> "Tables":
        """Read all files. Raises DataError as `CeilingTable.read`."""
        return cls(
            CeilingTable.read(CEILING_3D),
            CeilingTable.read(CEILING_5D),
            DerivativeComparison.read(AUTODIFF),
            StepStudy.read(STEPS),
            NeighbourTable.read(NEIGHBOURS),
            NuisanceTable.read(NUISANCES),
            StarBounds.read(STARS),
            VanTreesTable.read(VAN_TREES),
            LeakTable.read(LEAK),
            PosteriorTable.read(POSTERIOR),
            NoiseLawTable.read(NOISE_LAWS),
            PredictionTable.read(PREDICTIONS),
        )

    @property
    def curve(self) -> Ceiling:
        """The ceiling as published: the median over nodes of the 5D table, at the SNR of each test star."""
        return median_curve(self.stars.stars, self.stars.snr, self.five)

    def efficiency(self) -> Efficiency:
        """Every model against every ceiling, on identical stars."""
        return efficiency(self.predictions, kit_ceilings(self.stars, self.posterior, self.five))
