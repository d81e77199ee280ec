"""Error of central differences against their step. Needs numpy alone."""

import numpy as np

from repro.bounds.steps_table import StepStudy


def summarise_steps(study: StepStudy) -> dict[str, float]:
    """Evidence values under <k>D/steps/, medians over the studied nodes, which are interior.

    difference_<label>/<fraction>: relative, error-weighted norm of difference minus exact derivative, by the step as a
        fraction of the lattice step (1 is the lattice step itself, 0.25 a quarter of it); richardson: extrapolated from
        the two widest steps.
    order_<label>: logarithmic slope of that error from the lattice step to a quarter of it; 2 is truncation alone.
    best_fraction_<label>: the fraction with the smallest error; below it rounding rules.
    crlb_ratio/<fraction>: bound on the target over that from exact derivatives; crlb_change_max/<fraction>: largest
        relative change over the nodes.
    """
    prefix = f"{len(study.free)}D/steps"
    names = [f"{value:g}" for value in study.fractions]
    values = {f"{prefix}/n_nodes": float(len(study.nodes))}
    if not study.nodes.size:
        return values
    for column, label in enumerate(study.free):
        errors = np.median(study.difference[:, column], axis=0)
        values |= {f"{prefix}/difference_{label}/{name}": float(x) for name, x in zip(names, errors, strict=True)}
        values[f"{prefix}/difference_{label}/richardson"] = float(np.median(study.richardson[:, column]))
        values[f"{prefix}/order_{label}"] = _order(study.fractions, errors)
        values[f"{prefix}/best_fraction_{label}"] = float(study.fractions[np.argmin(errors)])
    ratios = np.column_stack([study.crlb_ratio, study.crlb_ratio_richardson])
    for name, ratio in zip([*names, "richardson"], ratios.T, strict=True):
        values[f"{prefix}/crlb_ratio/{name}"] = float(np.median(ratio))
        values[f"{prefix}/crlb_change_max/{name}"] = float(np.abs(ratio - 1.0).max())
    return values


def _order(fractions: np.ndarray, errors: np.ndarray) -> float:
    wide = fractions >= 0.25
    if wide.sum() < 2:
        return float("nan")
    return float(np.polyfit(np.log(fractions[wide]), np.log(errors[wide]), 1)[0])
