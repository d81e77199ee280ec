"""Ridge on the six published forms of the input, at noise level 1.

With x the noisy flux, m and s the mean and standard deviation of each pixel over the training spectra, and e the error
of the star at hand: raw x, standardised (x - m) / s, centred x - m, scaled x / s, snr x / e, snr_centred (x - m) / e.
The penalty of each is chosen by validation in its own units. The published study standardised the pixels of every form
once more before it fitted (`restandardised=yes`, at one penalty): then raw, standardised, centred and scaled inputs are
one and the same, and their agreement says nothing about scaling. Run 0 shows that; other runs leave out what is the
same by construction. The snr forms show the model the error array, which alone gives log g away: fact `uses_error`.
"""

from collections.abc import Callable
from functools import partial
from typing import Final

import numpy as np
import torch
from torch import Tensor

from repro.experiments.data import Data
from repro.experiments.inputs import FORMS, Form, Formed, formed
from repro.experiments.jobs import Job
from repro.experiments.linear.levels import PUBLISHED_ALPHA
from repro.experiments.linear.paths import Cell, LinearPlan, Seen, best
from repro.experiments.plan import PUBLISHED, setting
from repro.experiments.table import Arm
from repro.models.moments import Moments, moments
from repro.models.ridge import ridge_path
from repro.training.spectra import Validation

# standardised pixels need penalties larger by 1 / s^2, about 100 at noise level 1, and flux / error still larger ones
ALPHAS: Final = tuple(float(alpha) for alpha in 10.0 ** np.arange(-3.0, 9.1, 0.5))

_DISTINCT: Final = ("raw", "standardised", "snr", "snr_centred")  # a ridge with an intercept sees no shift


def scaler_jobs(data: Data, plan: LinearPlan) -> list[Job]:
    """One job a run, at the middle size."""
    n = plan.sizes[len(plan.sizes) // 2]
    return [Job(f"scaler_run{run}", partial(_scaler, data, n, run)) for run in range(plan.seeds)]


def _scaler(data: Data, n: int, run: int) -> list[Arm]:
    shown = data.shown(PUBLISHED, n, run)
    raw = moments(shown, data.y[:n], device=data.device)
    mean, deviation = (torch.as_tensor(v, dtype=torch.float32, device=data.device) for v in (raw.mean, raw.deviation))
    arms = []
    for name in FORMS if run == 0 else _DISTINCT:

        def form(x: Tensor, stored: Tensor, function: Callable[..., Tensor] = FORMS[name]) -> Tensor:
            return function(x, stored * (PUBLISHED * data.noise), mean, deviation)

        source = Formed(form, shown.shape[1], (shown, data.errors(n)))
        known = raw if name == "raw" else moments(source, data.y[:n], device=data.device)
        arms += _of_form(name, known, _seen(data, form), Cell(PUBLISHED, n, run))
    return arms


def _seen(data: Data, form: Form) -> Seen:
    validation = data.validation(PUBLISHED)
    shown = formed(form, data.device, validation.flux, data.val.error)
    return Seen(Validation(shown, validation.y), formed(form, data.device, data.test_flux(PUBLISHED), data.test.error))


def _of_form(name: str, known: Moments, seen: Seen, cell: Cell) -> list[Arm]:
    facts = {"uses_error": float(name.startswith("snr"))}
    tuned = best(ridge_path(known, ALPHAS), seen.validation)
    arms = cell.arms("scaler", "ridge", tuned, [setting(input=name)], seen, facts)
    if cell.seed > 0:
        return arms
    fixed = ridge_path(known.standardised(), (PUBLISHED_ALPHA,))
    return arms + cell.arms("scaler", "ridge", fixed, [setting(input=name, restandardised="yes")], seen, facts)
