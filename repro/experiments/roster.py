"""Arms of models that need no settings: a new model is a line of `ROSTER` away from the leaderboard.

template  fitted at every noise level to the spectra of the node grid, without training spectra; weights=error: each
          star's own errors, weights=mean: one weight a pixel for all stars.
roster    every other model of `ROSTER`: at every noise level, size and run.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from repro.errors import DataError, ReproError
from repro.experiments.data import Data
from repro.experiments.jobs import Job
from repro.experiments.plan import RunPlan, levels_at, runs_and_sizes
from repro.experiments.table import Arm
from repro.models.protocol import Array, Model, predict
from repro.models.template import Template
from repro.models.templates import Templates
from repro.spectra.nodes import NodeGrid


class Setup:
    """What a model may be made with: where it computes, and the templates of the node grid, which are made once."""

    def __init__(self, device: str, grid: NodeGrid | None) -> None:
        self.device = device
        self.grid = grid
        self._templates: Templates | None = None

    @property
    def templates(self) -> Templates:
        """Of the node grid. Raises DataError where there is none."""
        if self._templates is None:
            if self.grid is None:
                raise DataError("roster: these spectra came without a node grid, so that there are no templates")
            self._templates = Templates.of(self.grid, device=self.device)
        return self._templates


@dataclass(frozen=True)
class Entry:
    """A model of the roster.

    Attributes:
        name: in tables, figures and evidence.
        make: a new model, not yet fitted.
        setting: what distinguishes it from other entries of the name, as in `table.Arm`.
        templates: whether it learns from the node grid alone, so that it has no training set.
    """

    name: str
    make: Callable[[Setup], Model]
    setting: str = ""
    templates: bool = False


ROSTER: Final[tuple[Entry, ...]] = (
    Entry("template", lambda setup: Template(setup.templates, "error"), "weights=error", templates=True),
    Entry("template", lambda setup: Template(setup.templates, "mean"), "weights=mean", templates=True),
)


def roster_jobs(
    data: Data,
    plan: RunPlan,
    levels: Sequence[float],
    grid: NodeGrid | None,
    roster: Sequence[Entry] = ROSTER,
) -> list[Job]:
    """Jobs of all models of the roster, on the device of the data.

    Args:
        plan: how much of the matrix is wanted.
        levels: published noise levels at which the models are trained and tested.
        grid: the nodes that the sets were made from; without one, models that need it are left out.
    """
    setup = Setup(data.device, grid)
    jobs = []
    for entry in roster:
        name = "_".join(filter(None, (entry.name, entry.setting.replace("=", "_").replace("+", "_"))))
        if not entry.templates:
            for run, n in runs_and_sizes(plan):
                for level in levels_at(plan, levels, n, run):
                    make = partial(_arm, entry, setup, data, level, n, run)
                    jobs.append(Job(f"{name}_noise{level:g}_n{n}_run{run}", make))
        elif grid is not None:
            jobs += [Job(f"{name}_noise{level:g}", partial(_arm, entry, setup, data, level, 0, 0)) for level in levels]
    return jobs


def _arm(entry: Entry, setup: Setup, data: Data, level: float, n: int, run: int) -> list[Arm]:
    """Train a model on n spectra and ask it about the test stars. Raises DataError, naming it, where it fails."""
    where = f"roster: model '{entry.name}' at noise {level:g} with {n} training spectra"
    validation = data.validation(level)
    try:
        model = entry.make(setup)
        flux, error = _training(data, level, n, run, model.uses_error)
        model.fit(flux, data.y[:n], error=error, validation=validation)
        known = predict(model, validation.flux, _given(validation.error))
        asked = predict(model, data.test_flux(level), data.test_error(level))
    except ReproError:
        raise
    except Exception as failure:
        raise DataError(f"{where} failed with {type(failure).__name__}: {failure}") from failure
    for estimates, count in ((known, len(validation.y)), (asked, len(data.test.flux))):
        if np.shape(estimates) != (count,) or not np.isfinite(estimates).all():
            raise DataError(
                f"{where}: `predict` must give one finite number for each of {count} spectra; it gave an array of "
                f"shape {np.shape(estimates)}, {np.isfinite(estimates).sum()} of its values finite"
            )
    return [
        Arm(
            experiment="template" if entry.templates else "roster",
            model=entry.name,
            setting=entry.setting,
            train_noise=level,
            test_noise=level,
            n_train=n,
            seed=run,
            prediction=asked,
            validation_r2=float(1.0 - np.mean((known - validation.y) ** 2) / np.var(validation.y)),
        )
    ]


def _training(data: Data, level: float, n: int, run: int, with_error: bool) -> tuple[Array, Array | None]:
    """Noisy flux of the first n training spectra, and their errors where they are wanted, (n, P) each."""
    if n == 0:
        nothing = np.zeros((0, data.val.flux.shape[1]), dtype=np.float32)
        return nothing, nothing if with_error else None
    return data.noisy(level, n, run), np.float32(level * data.noise) * data.train.error[:n] if with_error else None


def _given(error: Array | None) -> NDArray[np.floating]:
    assert error is not None  # Data gives validation stars with their errors
    return error
