"""Jobs of Track A: one training each, whose arms are kept when it is done and which itself continues where it stopped.

The transformer of a scale, `vit` with the published shape or `vit_small`, is trained at all sizes; the recipe is the
published one, for the small shape a short one of its own (`SHORT`). Beside it stand, where a scale has them, the fast
variant with the fast recipe, some updates of the published shape, the ablations (`variants`), and the same networks on
test stars of other noise levels.

Networks of one run see the same noise, presentation by presentation. At every size the published recipe has the same
number of presentations of each spectrum and the same batch, so that updates grow with the size, as in the published
scaling; the short recipe has as many updates at every size, its batch in proportion, since with few updates a small
training set would otherwise only say that training was short.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final, Protocol

from repro.experiments.data import Data
from repro.experiments.jobs import Job
from repro.experiments.plan import PUBLISHED, setting
from repro.experiments.table import Arm
from repro.experiments.vit.bench import Announced, Bench, Counted
from repro.experiments.vit.sources import Laws
from repro.experiments.vit.variants import Convolutions, Entry, Variant, ablations
from repro.models import vit
from repro.models.swin import SwinShape
from repro.progress import Report, silent
from repro.training.recipe import FAITHFUL, FAST, Recipe
from repro.training.spectra import Validation

# of the small shape at 8000 spectra, chosen by validation R2 (benchmarks/recipe.py)
SHORT: Final = Recipe(learning_rate=1e-3, clip=0.5, select="mae")
STEP_BATCH: Final = 16  # of the updates of the published shape beside a small one
STEP_VALIDATION: Final = 64  # spectra that judge them
SMALLEST: Final = 16


class VitPlan(Protocol):
    """How much of Track A a scale runs, see `params.VitParams`."""

    @property
    def main(self) -> str: ...
    @property
    def sizes(self) -> Sequence[int]: ...
    @property
    def seeds(self) -> int: ...
    @property
    def epochs(self) -> int: ...
    @property
    def batch(self) -> int: ...
    @property
    def published_steps(self) -> int: ...
    @property
    def fast_epochs(self) -> int: ...
    @property
    def ablations(self) -> Sequence[str]: ...
    @property
    def ablation_size(self) -> int: ...
    @property
    def ablation_epochs(self) -> int: ...


@contextmanager
def quiet(_name: str) -> Iterator[Report]:
    """Show no progress."""
    yield silent


def vit_jobs(
    data: Data,
    plan: VitPlan,
    levels: Sequence[float],
    *,
    checkpoints: Path | None = None,
    laws: Laws | None = None,
    announced: Announced = quiet,
    live: Path | None = None,
    counted: Counted | None = None,
) -> list[Job]:
    """All jobs of Track A, on the device of the data.

    Args:
        plan: how much is wanted.
        levels: noise levels at which networks trained at level 1 are tested, and `cross_noise` trains.
        checkpoints: folder from which an interrupted training continues; without it, it begins anew.
        laws: what draws training labels of another law; None: `lattice` is left out.
        announced: shows the progress of a training.
        live: folder for pages that show trainings while they run.
        counted: takes down what a training takes.
    """
    small = plan.main == "small"
    makers = _Makers(Bench(data, small, announced, laws, checkpoints, live, counted), plan, tuple(levels))
    jobs: list[Job] = []

    def add(name: str, make: Callable[[], list[Arm]]) -> None:
        jobs.append(Job(name, make, partial(makers.bench.forget, name)))

    for run in range(plan.seeds):
        for n in plan.sizes:
            add(f"main-{n}-{run}", partial(makers.main, n, run))
        if plan.fast_epochs:
            add(f"fast-{run}", partial(makers.fast, run))
        for variant, entries in makers.ablations().items():
            name = _job(variant, entries[0], run)
            add(name, partial(makers.ablation, variant, entries, run, name))
        if small and plan.published_steps and run == 0:
            add("steps", makers.steps)
    return jobs


@dataclass(frozen=True)
class _Makers:
    """What the jobs do."""

    bench: Bench
    plan: VitPlan
    levels: tuple[float, ...]

    @property
    def name(self) -> str:
        """Of the main model, in the table."""
        return "vit_small" if self.plan.main == "small" else "vit"

    def main(self, n: int, run: int) -> list[Arm]:
        """The main model on n spectra; the largest is also tested at other noise levels, if no ablation of it is."""
        entries, plan = [Entry("main", "")], self.plan
        if n == plan.sizes[-1] and not ("cross_noise" in plan.ablations and n == plan.ablation_size):
            entries.append(Entry("cross_noise", ""))
        return self._made(self._reference(self.plan.epochs, n), entries, n, run, f"main-{n}-{run}")

    def fast(self, run: int) -> list[Arm]:
        """The fast variant by the fast recipe, on the largest size."""
        variant = Variant(vit.FAST, replace(FAST, epochs=self.plan.fast_epochs))
        return self._made(variant, [Entry("fast", "")], self.plan.sizes[-1], run, f"fast-{run}", "vit_fast")

    def ablations(self) -> dict[Variant, list[Entry]]:
        """The trainings of all ablations."""
        data, plan = self.bench.data, self.plan
        law = None if self.bench.laws is None else self.bench.laws.own
        reference = self._reference(plan.ablation_epochs, plan.ablation_size)
        pixels = data.train.flux.shape[1]
        return ablations(plan.ablations, reference, pixels=pixels, law=law, levels=self.levels)

    def ablation(self, variant: Variant, entries: list[Entry], run: int, job: str) -> list[Arm]:
        """One training of the ablations."""
        name = {Convolutions: "cnn", SwinShape: "swin"}.get(type(variant.network), self.name)
        return self._made(variant, entries, self.plan.ablation_size, run, job, name)

    def steps(self) -> list[Arm]:
        """Some updates of the published architecture by the published recipe, on as many spectra as they need."""
        steps, data = self.plan.published_steps, self.bench.data
        n = min(steps * STEP_BATCH, len(data.y))
        variant = Variant(vit.PUBLISHED, replace(FAITHFUL, steps=steps, batch=STEP_BATCH))
        flux, y, error = data.validation(PUBLISHED)
        few = slice(STEP_VALIDATION)
        judges = Validation(flux[few], y[few], None if error is None else error[few])
        fit = self.bench.fit(variant, n, 0, "steps", judges)
        return self.bench.arms(fit, "vit", [Entry("steps", setting(steps=steps))], self.levels)

    def _made(
        self, variant: Variant, entries: list[Entry], n: int, run: int, job: str, name: str | None = None
    ) -> list[Arm]:
        return self.bench.arms(self.bench.fit(variant, n, run, job), name or self.name, entries, self.levels)

    def _reference(self, epochs: int, n: int) -> Variant:
        """The main model and its recipe."""
        if self.plan.main != "small":
            return Variant(vit.PUBLISHED, replace(FAITHFUL, epochs=epochs, batch=self.plan.batch))
        batch = max(SMALLEST, round(self.plan.batch * n / self.plan.sizes[-1]))
        return Variant(vit.SMALL, replace(SHORT, epochs=epochs, batch=batch))


def _job(variant: Variant, entry: Entry, run: int) -> str:
    """Name of the job of an ablation."""
    level = setting(level=variant.level) if entry.experiment == "cross_noise" else ""
    return "-".join(filter(None, (entry.experiment, entry.setting, level, str(run))))
