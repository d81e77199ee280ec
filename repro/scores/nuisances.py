"""What each further unknown costs, and 3D against 5D on identical nodes: the evidence values of a `NuisanceTable`.

Needs numpy alone, so that stored evidence can be judged without torch or pandas.
"""

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from repro.bounds.nuisance_table import RUNGS, NuisanceTable
from repro.bounds.table import CeilingTable
from repro.scores.ceilings import PAPER_VARIANCE, aggregate, r2max
from repro.scores.population import published_rows

Array = NDArray[np.float64]

_REFERENCE: Final = "5D"  # what the other rungs are compared with


def summarise_nuisances(table: NuisanceTable, solar: CeilingTable | None = None) -> dict[str, float]:
    """All evidence values of a table: address -> value.

    nuisances/<rung>/<magnitude>/: sigma_median, _p10, _p90 [dex] over nodes; sigma_ratio_median, _p10, _p90 to the 5D
        bound of the same node; schur_median, the share of the information that an observer who knows all but log g
        would have; r2max_median and r2_aggregate as in `ceilings`; with scatter also information_gain_*
        [dex^-2], what the noise's size adds to the information on log g with the same unknowns (for the rung with
        conditions: against conditions known and no scatter).
    paired/[solar/ | interior/]<magnitude>/: crlb_ratio_*, the 5D over the 3D bound of the same node, also by how well
        log g is determined (`_by_quality`), and values that take the comparison as published apart (`_unpaired`).
    paired/crlb_ratio_median_range: largest minus smallest median ratio of the magnitudes.
    paired/crlb_ratio_over_magnitudes_median: a node's largest ratio over its smallest.
    solar: the 3D table of the paper's 1260 solar nodes, for the comparison as published.
    """
    counted, table = table, as_published(table)
    values: dict[str, float] = {}
    for rung in table.rungs:
        for m, magnitude in enumerate(table.magnitudes):
            address = f"nuisances/{rung}/{magnitude:g}"
            values |= {f"{address}/{name}": value for name, value in _rung(table, rung, m).items()}
    for k, magnitude in enumerate(table.paired_magnitudes):
        values |= {f"paired/{name}": value for name, value in _paired(table, k).items()}
        values |= _unpaired(table, k, f"paired/{magnitude:g}", solar)
    ratio = table.crlb_5d / table.crlb_3d
    medians = [_median(each) for each in ratio]
    return values | {
        "paired/n_nodes": float(len(counted.labels)),
        "paired/solar/n_nodes": float(counted.solar.sum()),
        "paired/crlb_ratio_median_range": max(medians) - min(medians),
        "paired/crlb_ratio_over_magnitudes_median": _median(ratio.max(axis=0) / ratio.min(axis=0)),
    }


def as_published(table: NuisanceTable) -> NuisanceTable:
    """The table with every node as often as it stands for one of the published lattice."""
    rows = published_rows(table.labels)
    return replace(
        table,
        labels=table.labels[rows],
        interior=table.interior[rows],
        crlb=table.crlb[:, :, rows],
        crlb_3d=table.crlb_3d[:, rows],
        crlb_5d=table.crlb_5d[:, rows],
    )


def _rung(table: NuisanceTable, rung: str, m: int) -> dict[str, float]:
    crlb, reference = table.bound(rung)[m], table.bound(_REFERENCE)[m]
    use = np.isfinite(crlb)
    if not use.any():
        return {}
    alone = table.bound(RUNGS[rung].alone)[m, use]
    result = _spread("sigma", np.sqrt(crlb[use]))
    result |= _spread("sigma_ratio", np.sqrt(crlb / reference))
    result |= {
        "schur_median": float(np.median(alone / crlb[use])),
        "r2max_median": float(np.median(r2max(crlb[use]))),
        "r2_aggregate": aggregate(crlb[use], PAPER_VARIANCE),
    }
    if without := RUNGS[rung].without_scatter:
        result |= _spread("information_gain", 1.0 / crlb - 1.0 / table.bound(without)[m])
    return result


def _paired(table: NuisanceTable, k: int) -> dict[str, float]:
    """Ratio of the 5D to the 3D bound at one magnitude: over all nodes, those of solar abundances, and inner ones."""
    ratio = table.crlb_5d[k] / table.crlb_3d[k]
    everywhere = np.ones(len(ratio), dtype=bool)
    values: dict[str, float] = {}
    for place, part in (("", everywhere), ("solar/", table.solar), ("interior/", table.interior)):
        use = part & np.isfinite(ratio)
        if use.any():
            address = f"{place}{table.paired_magnitudes[k]:g}"
            values |= {f"{address}/{name}": value for name, value in _spread("crlb_ratio", ratio[use]).items()}
            values[f"{address}/crlb_ratio_min"] = float(ratio[use].min())
            values[f"{address}/crlb_ratio_max"] = float(ratio[use].max())
            values[f"{address}/sigma_ratio_median"] = float(np.median(np.sqrt(ratio[use])))
            values |= {
                f"{address}/{name}": value for name, value in _by_quality(table.crlb_3d[k, use], ratio[use]).items()
            }
    return values


def _by_quality(crlb_3d: Array, ratio: Array) -> dict[str, float]:
    """Is the loss larger where log g is ill determined? Median ratio of the tenths of nodes with the lowest and highest
    3D bound, and ratios of percentiles of the two distributions, which is all that published tables allow."""
    low, high = np.percentile(crlb_3d, (10.0, 90.0))
    crlb_5d = ratio * crlb_3d
    return {
        "crlb_ratio_best_tenth": float(np.median(ratio[crlb_3d <= low])),
        "crlb_ratio_worst_tenth": float(np.median(ratio[crlb_3d >= high])),
        "p10_crlb_ratio": float(np.percentile(crlb_5d, 10.0) / low),
        "p90_crlb_ratio": float(np.percentile(crlb_5d, 90.0) / high),
    }


def _unpaired(table: NuisanceTable, k: int, address: str, solar: CeilingTable | None) -> dict[str, float]:
    """The comparison as published, medians over different nodes, taken apart into factors.

    Published: 3D over solar abundances against 5D over all, drop = 1 - R2max_5D / R2max_3D of the medians and the ratio
    of the median bounds. On one lattice it is the step from solar to all abundances with the other labels known
    (`population`), times that from 3D to 5D on all nodes (`marginalisation`). Where the 3D table has other nodes than
    the solar ones here, two factors come first: from all its nodes to the common ones (`nodes`), and on those from the
    differences between its neighbours to those between neighbours here (`step`). 1 - drop and the ratios are products.
    """
    here = table.crlb_3d[k, table.solar]
    rows = np.flatnonzero(solar.magnitudes == table.paired_magnitudes[k]) if solar else np.empty(0, dtype=np.intp)
    steps = {"first": here}
    if solar and rows.size:
        common = {tuple(labels) for labels in table.labels[table.solar]}
        shared = np.array([tuple(labels) in common for labels in solar.labels])
        counted = np.flatnonzero(shared)[published_rows(solar.labels[shared])]
        steps = {"first": solar.crlb[rows[0]], "nodes": solar.crlb[rows[0], counted], "step": here}
    steps |= {"population": table.crlb_3d[k], "marginalisation": table.crlb_5d[k]}
    medians = {name: _median(bounds) for name, bounds in steps.items()}
    ceilings = {name: float(r2max(np.array(value))) for name, value in medians.items()}
    names = list(steps)
    pairs = [*zip(names, names[1:], names[1:], strict=False), (names[0], names[-1], "unpaired")]
    values = {f"{address}/{name}_crlb_ratio": medians[after] / medians[before] for before, after, name in pairs}
    return values | {
        f"{address}/{name}_r2max_drop": 1.0 - ceilings[after] / ceilings[before] if ceilings[before] else float("nan")
        for before, after, name in pairs
    }


def _median(values: Array) -> float:
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if finite.size else float("nan")


def _spread(name: str, values: Array) -> dict[str, float]:
    """Percentiles of the finite values; nothing if there are none."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return {}
    low, middle, high = np.percentile(finite, (10.0, 50.0, 90.0))
    return {f"{name}_p10": float(low), f"{name}_median": float(middle), f"{name}_p90": float(high)}
