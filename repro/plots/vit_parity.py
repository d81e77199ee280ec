"""Predicted against true gravity, star by star: the transformer, the best baseline and the exact Bayes optimum."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from repro.plots.matrix import common_legend, heading
from repro.plots.node_stars import node_stars
from repro.plots.style import MINUS, count, save, style
from repro.scores.bins import FEWEST, mae, r2
from repro.scores.contenders import Contenders
from repro.scores.names import display
from repro.scores.node_lattice import STEP, on_node
from repro.scores.star_references import StarReferences

Array = NDArray[np.float64]


def draw(known: Contenders, references: StarReferences, path: str | Path) -> Path:
    """A panel each, of the first run; true gravities stand where they are, so that their nodes are seen as stripes."""
    truth = known.scores.table.truth
    shown = _shown(known, references)
    with style():
        figure = Figure(figsize=(4.0 * len(shown) + 0.4, 5.6), layout="constrained")
        panels = figure.subplots(1, len(shown), sharex=True, sharey=True, squeeze=False)[0]
        for axes, (name, prediction) in zip(panels, shown.items(), strict=True):
            _panel(axes, truth, prediction, name)
            axes.set_xlabel("true log g [dex, cgs]")
        panels[0].set_ylabel("predicted log g [dex, cgs]")
        common_legend(figure, panels, 3)
        share = 100.0 * float(np.mean(on_node(truth)))
        heading(
            figure,
            f"Prediction against truth on {count(len(truth))} test stars under one noise draw; "
            f"{share:.0f} % of the true gravities are nodes",
            "R² and MAE of the run that is drawn; slope of the least squares line of the prediction over the truth",
        )
        return save(figure, path)


def _shown(known: Contenders, references: StarReferences) -> dict[str, Array]:
    """Name -> predictions (n,) of the first run: the main model, the baseline of highest R2, and the optimum."""
    scores = known.scores
    others = [model for model in known.headline if model in known.by_size and model != known.name]
    best = sorted(others, key=lambda model: -scores.measured(known.headline[model]).value)[:1]
    found = {}
    for model in (known.name, *best):
        n = int(scores.table.n_train[known.headline[model][0]])
        learnt = f"{count(n)} training spectra" if n else "no training"
        row = known.headline[model][0]
        found[f"{display(model)}, {learnt}"] = scores.table.predictions[row].astype(np.float64)
    if np.isfinite(references.optimum).any():
        found["exact Bayes optimum of the flux (posterior mean)"] = references.optimum
    return found


def _panel(axes: Axes, truth: Array, prediction: Array, name: str) -> None:
    known = np.isfinite(prediction)
    truth, prediction = truth[known], prediction[known]
    node_stars(axes, truth, prediction, truth)
    nodes = on_node(truth)
    ends = np.array([truth.min(), truth.max()])
    axes.plot(ends, ends, "-", color="black", lw=0.8, label="prediction = truth")
    slope, start = np.polyfit(truth, prediction, 1)
    axes.plot(ends, start + slope * ends, "-.", color="black", lw=1.4, label="least squares line")
    groups = [(node, prediction[nodes & (np.abs(truth - node) < 0.5 * STEP)]) for node in np.unique(truth[nodes])]
    full = [(node, values) for node, values in groups if len(values) >= FEWEST]
    if full:
        quartiles = np.array([np.percentile(values, (25.0, 50.0, 75.0)) for _, values in full]).T
        bars = np.abs(quartiles[[0, 2]] - quartiles[1])
        label = "median and quartiles of a node"
        axes.errorbar([n for n, _ in full], quartiles[1], bars, fmt="s", color="black", ms=4, capsize=2, label=label)
    numbers = f"R² {r2(truth, prediction):.3f}, MAE {mae(truth, prediction):.3f} dex, slope {slope:.2f}"
    axes.set_title(f"{name}\n{numbers.replace('-', MINUS)}", fontsize=8.5)
