"""Arms of boosted trees: noise and size of the training set, learning rates and leaves, and what they are shown.

trees         number of trees chosen by validation, at every noise level, size and run with the middle one of the
              learning rates and of the leaves; at the middle size with all rates, and in run 0 with all leaves too.
trees_fixed   the same boosters cut at fixed numbers of trees, as the published runs were; where they have so many.
cross_noise   trained at one noise level, tested at all.
topk          a few pixels: those of the largest gain or of the largest coefficients of Ridge, or random ones.
scaler        six forms of the input. Early stopping on validation spectra in the same form, or left raw, which is the
              likely error of the published study: all raw values of a pixel lie within few bins of other units.
error_only    the error array alone, without flux.

A tree draws `tree_share` of all pixels; of a few chosen pixels as many as there are up to that number. Every arm has
the facts `trees` (grown to the lowest validation loss), `capped` (1 where more trees were not allowed, although the
loss had fallen lately), `share` and `bins`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Final, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from repro.experiments.data import Data
from repro.experiments.inputs import FORMS, Form, Formed, formed
from repro.experiments.jobs import Job
from repro.experiments.plan import ALPHAS, CLEAN, PUBLISHED, RAISED, RunPlan, levels_at, setting
from repro.experiments.table import Arm
from repro.models.gbdt import EDGES, Bins, Gbdt
from repro.models.protocol import Array
from repro.models.ridge import Ridge
from repro.training.spectra import Source, Validation, blocks

CUTS: Final = (50, 100, 500, 1000)  # trees of the published runs
REPEATED_FORMS: Final = ("raw", "standardised", "snr", "snr_centred")  # of the input, in all runs; others in run 0
CROSSED: Final = (CLEAN, PUBLISHED, RAISED)  # training noise of what is tested at all levels


class TreePlan(RunPlan, Protocol):
    """The part of a scale's matrix that boosted trees use."""

    @property
    def pixels(self) -> Sequence[int]:
        """Numbers of chosen pixels."""
        ...

    @property
    def trees(self) -> int:
        """Number of trees, at most."""
        ...

    @property
    def tree_share(self) -> float:
        """Of all pixels, drawn for each tree."""
        ...

    @property
    def tree_bins(self) -> int:
        """Of a pixel."""
        ...

    @property
    def tree_rates(self) -> Sequence[float]:
        """Learning rates; the middle one is used wherever they are not varied."""
        ...

    @property
    def tree_leaves(self) -> Sequence[int]:
        """Leaves of a tree, likewise."""
        ...


def tree_jobs(data: Data, plan: TreePlan, levels: Sequence[float]) -> list[Job]:
    """All jobs of boosted trees.

    Args:
        plan: how much of the matrix is wanted.
        levels: published noise levels at which the models are trained and tested.
    """
    trees = _Trees(data, plan, tuple(levels))
    jobs = []
    for run in range(plan.seeds):
        for level in (*levels, RAISED):
            for n in trees.sizes_at(level, run):
                jobs.append(Job(f"noise{level:g}_n{n}_run{run}", partial(trees.at_level, level, n, run)))
                if (level, n) == (PUBLISHED, trees.middle):
                    jobs.append(Job(f"topk_n{n}_run{run}", partial(trees.topk, n, run)))
    for run in range(plan.seeds):
        if trees.middle in trees.sizes_at(PUBLISHED, run):
            jobs.append(Job(f"scaler_n{trees.middle}_run{run}", partial(trees.scaler, trees.middle, run)))
        for n in trees.sizes_at(CLEAN, run):
            jobs.append(Job(f"error_only_n{n}_run{run}", partial(trees.error_only, n, run)))
    return jobs


@dataclass(frozen=True)
class _Fit:
    """A fit, where it learnt and by what its trees were counted."""

    model: Gbdt
    validation: Validation
    train_noise: float
    n_train: int
    seed: int
    bins: int

    def arm(
        self, experiment: str, name: str, test_noise: float, test: Array, trees: int | None = None, kept: bool = False
    ) -> Arm:
        """What its first `trees` trees say of the test stars, those of the lowest validation loss by default."""
        model, (flux, y, _) = self.model, self.validation
        estimates = model.predict(flux, trees=trees)
        return Arm(
            experiment=experiment,
            model="lightgbm",
            setting=name,
            train_noise=self.train_noise,
            test_noise=test_noise,
            n_train=self.n_train,
            seed=self.seed,
            prediction=model.predict(test, trees=trees),
            validation_r2=float(1.0 - np.mean((estimates - y) ** 2) / np.var(y)),
            facts={
                "trees": model.best if trees is None else trees,
                "capped": float(model.best + model.patience > model.trees),
                "share": model.settings["feature_fraction"],
                "bins": self.bins,
            },
            kept=model if kept else None,
        )


class _Trees:
    """Makes the arms; bins and validation spectra of the last run and noise level are kept."""

    def __init__(self, data: Data, plan: TreePlan, levels: tuple[float, ...]) -> None:
        self.data, self.plan, self.levels = data, plan, levels
        self.middle = plan.sizes[len(plan.sizes) // 2]
        self._rate = plan.tree_rates[len(plan.tree_rates) // 2]
        self._leaves = plan.tree_leaves[len(plan.tree_leaves) // 2]
        self._key: tuple[float, int] | None = None
        self._bins: Bins
        self._validation: Validation

    def sizes_at(self, level: float, run: int) -> tuple[int, ...]:
        """Training set sizes that a noise level has in a run."""
        if level == RAISED:
            return (self.middle,)
        return tuple(n for n in self.plan.sizes if level in levels_at(self.plan, self.levels, n, run))

    def at_level(self, level: float, n: int, run: int) -> list[Arm]:
        """Arms of one training set at all settings that it has."""
        bins, validation = self._sorted(level, n, run)
        test = self.data.test_flux(level)
        arms = []
        for rate, leaves in self._settings(level, n, run):
            fit = self._fit(bins, validation, (level, n, run), rate, leaves)
            name = setting(rate=rate, leaves=leaves)
            if level in self.levels:
                kept = (level, n, run) == (PUBLISHED, self.plan.sizes[-1], 0)
                arms.append(fit.arm("trees", name, level, test, kept=kept))
                cuts = [trees for trees in CUTS if trees <= fit.model.best]
                arms += [fit.arm("trees_fixed", f"{name}+trees={trees}", level, test, trees) for trees in cuts]
            if level in CROSSED and n == self.middle and (rate, leaves) == (self._rate, self._leaves):
                arms += [fit.arm("cross_noise", "", other, self.data.test_flux(other)) for other in self.levels]
        return arms

    def topk(self, n: int, run: int) -> list[Arm]:
        """Arms on a few pixels at the published noise level."""
        bins, validation = self._sorted(PUBLISHED, n, run)
        cell = (PUBLISHED, n, run)
        shown, test = self.data.shown(PUBLISHED, n, run), self.data.test_flux(PUBLISHED)
        pixels = shown.shape[1]
        ridge = Ridge(ALPHAS, device=self.data.device).fit(shown, self.data.y[:n], validation=validation)
        orders = {
            "gain": _falling(self._fit(bins, validation, cell).model.importance("gain")),
            "ridge": _falling(np.abs(ridge.coefficients)),
            "random": np.random.default_rng(self.data.seed + run).permutation(pixels),
        }
        arms = []
        for selector, order in orders.items():
            for k in (k for k in self.plan.pixels if k < pixels):
                chosen = np.sort(order[:k])
                few = self._bins_of(Formed(partial(_columns, torch.from_numpy(chosen)), k, (shown,)))
                seen = validation._replace(flux=validation.flux[:, chosen])
                fit = self._fit(few, seen, cell, share=min(1.0, self.plan.tree_share * pixels / k))
                arms.append(fit.arm("topk", setting(k=k, selector=selector), PUBLISHED, test[:, chosen]))
        return arms

    def scaler(self, n: int, run: int) -> list[Arm]:
        """Arms on the six forms of the input at the published noise level, with both kinds of validation spectra."""
        data, cell = self.data, (PUBLISHED, n, run)
        shown, validation, test = data.shown(PUBLISHED, n, run), data.validation(PUBLISHED), data.test_flux(PUBLISHED)
        mean, deviation = _moments(shown)
        arms = []
        for name, function in FORMS.items():
            if run > 0 and name not in REPEATED_FORMS:
                continue

            def form(x: Tensor, error: Tensor, function: Form = function) -> Tensor:
                return function(x, error * (PUBLISHED * data.noise), mean, deviation)

            bins = self._bins_of(Formed(form, shown.shape[1], (shown, data.errors(n))))
            seen = formed(form, data.device, test, data.test.error)
            kinds = {
                "transformed": validation._replace(flux=formed(form, data.device, validation.flux, data.val.error))
            }
            if name != "raw":
                kinds["raw"] = validation
            for kind, spectra in kinds.items():
                fit = self._fit(bins, spectra, cell)
                arms.append(fit.arm("scaler", setting(input=name, validation=kind), PUBLISHED, seen))
        return arms

    def error_only(self, n: int, run: int) -> list[Arm]:
        """The arm that is shown the error array alone."""
        validation = Validation(self.data.val.error, self.data.val.y)
        fit = self._fit(self._bins_of(self.data.errors(n)), validation, (CLEAN, n, run))
        return [fit.arm("error_only", setting(input="error"), CLEAN, self.data.test.error)]

    def _settings(self, level: float, n: int, run: int) -> Iterator[tuple[float, int]]:
        """Learning rates and leaves of a training set."""
        if n != self.middle or level not in self.levels:
            return iter([(self._rate, self._leaves)])
        every = run == 0 and level in self.plan.repeated
        return product(self.plan.tree_rates, self.plan.tree_leaves if every else [self._leaves])

    def _sorted(self, level: float, n: int, run: int) -> tuple[Bins, Validation]:
        """Training spectra in bins, which all sizes share, and validation spectra."""
        sizes = self.sizes_at(level, run)
        if self._key != (level, run):
            self._key = level, run
            self._bins = self._bins_of(self.data.shown(level, sizes[-1], run))
            self._validation = self.data.validation(level)
        if n < min(EDGES, sizes[-1]):
            return self._bins_of(self.data.shown(level, n, run)), self._validation
        return self._bins.first(n), self._validation

    def _fit(
        self,
        bins: Bins,
        validation: Validation,
        cell: tuple[float, int, int],
        rate: float | None = None,
        leaves: int | None = None,
        share: float | None = None,
    ) -> _Fit:
        """Trees grown on spectra of a cell (noise level, size, run)."""
        level, n, run = cell
        model = Gbdt(
            self.plan.trees,
            self._rate if rate is None else rate,
            self._leaves if leaves is None else leaves,
            share=self.plan.tree_share if share is None else share,
            seed=self.data.seed + run,
        )
        model.fit(bins, self.data.y[:n], validation=validation)
        return _Fit(model, validation, level, n, run, self.plan.tree_bins)

    def _bins_of(self, source: Source) -> Bins:
        return Bins(source, bins=self.plan.tree_bins)


def _falling(values: NDArray[np.float64]) -> NDArray[np.intp]:
    """Places (P,) by falling value."""
    return np.argsort(-values, kind="stable")


def _columns(chosen: Tensor, block: Tensor) -> Tensor:
    return block[:, chosen.to(block.device)]


def _moments(source: Source) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation (P,) of the pixels."""
    n = source.shape[0]
    mean = torch.stack([flux.double().sum(dim=0) for _, flux in blocks(source, 0)]).sum(dim=0) / n
    square = torch.stack([((flux.double() - mean) ** 2).sum(dim=0) for _, flux in blocks(source, 0)]).sum(dim=0) / n
    return mean.float(), torch.sqrt(square).float()
