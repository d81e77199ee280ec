"""Ceilings on R2 from Cramer-Rao bounds: the definition of the paper, and those that hold for a population.

The paper's ceiling is the median over nodes of clip(1 - C / V, 0, 1). That median bounds no R2: for a population
R2 <= 1 - E[C] / V for unbiased estimators, and a trained regressor is biased towards its prior, for which
1 - E[C / (C + V)] is the linear-Gaussian value. All are given side by side.

Needs numpy alone, so that stored evidence can be judged without torch or pandas.
"""

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from repro.bounds.table import CeilingTable, DerivativeComparison
from repro.scores.population import published_rows

# V is not written in the paper's sources; 1 - C/V back-solves to 5/3 from each of four tabulated rows. It is the
# variance of the nine equally weighted log g nodes 1.0 ... 5.0.
PAPER_VARIANCE: Final = 5.0 / 3.0

Array = NDArray[np.float64]

# parts of the label space that statements are made about: name -> label, lowest, highest
_REGIONS: Final = {
    "cool": ("T_eff", -np.inf, 4250.0),
    "hot": ("T_eff", 5500.0, np.inf),
    "giant": ("log_g", -np.inf, 2.0),
    "dwarf": ("log_g", 4.5, np.inf),
    "metal_poor": ("M_H", -np.inf, -1.5),
    "metal_rich": ("M_H", -0.25, np.inf),
}

ROUTES: Final = ("second_order", "richardson", "spline")  # to the derivatives, beside the paper's first-order edges
AGREEMENT: Final = 0.01  # relative, of the routes' bounds

_STATISTICS: Final[dict[str, Callable[[Array], float]]] = {"mean": np.mean, "std": np.std, "min": np.min, "max": np.max}


def summarise(table: CeilingTable) -> dict[str, float]:
    """All evidence values of a table: address -> value, e.g. "3D/21.5/r2max_median".

    The first part of an address is the number of free labels; after it may stand a part of the nodes: "interior", a
    region such as "metal_poor", or one gravity such as "log_g=3.5". Identities stand under "checks/", of grids with
    other than three free labels under "checks/5D/". Statistics run over identifiable nodes, each as often as it stands
    for one of the published lattice (`population`), except those that take the label law. Bounds come from
    first-order edges except where the name says otherwise. What cannot be given (an SNR outside the magnitudes, an
    ill-posed condition number) is not finite.
    """
    prefix = f"{len(table.free)}D"
    counted = published_rows(table.labels)
    rows = [_magnitude(table, m, counted) for m in range(len(table.magnitudes))]
    values = {
        f"{prefix}/n_nodes": float(len(table.labels)),
        f"{prefix}/n_not_identifiable": float((~table.identifiable).any(axis=0).sum()),
        f"{prefix}/n_interior": float(table.interior.sum()),
    }
    values |= {f"{_checks(table)}/{name}": value for name, value in table.identities.items()}
    values[f"{_checks(table)}/schur_against_inverse"] = _largest(np.abs(table.crlb_inverse / table.crlb - 1.0))
    for m, magnitude in enumerate(table.magnitudes):
        values |= {f"{prefix}/{magnitude:g}/{name}": value for name, value in rows[m].items()}
        for part, nodes in _parts(table).items():
            inside = _part(table, m, _chosen(table, m, nodes, counted))
            values |= {f"{prefix}/{part}/{magnitude:g}/{name}": value for name, value in inside.items()}
        for part, nodes in (("", table.identifiable[m]), ("interior/", table.interior), ("edges/", ~table.interior)):
            routes = _routes(table, m, _chosen(table, m, nodes, counted))
            values |= {f"{prefix}/{part}{magnitude:g}/{name}": value for name, value in routes.items()}
    values |= {f"{prefix}/{name}": value for name, value in _across_magnitudes(table, rows).items()}
    return values


def summarise_derivatives(comparison: DerivativeComparison, prefix: str) -> dict[str, float]:
    """Evidence values of a comparison of derivatives under `prefix`/autodiff/: over all sampled nodes and inner ones.

    difference_<label>_median and _max: relative, error-weighted norm of lattice minus exact derivative.
    crlb_ratio_median, _p10, _p90: bound from lattice differences over that from exact derivatives; likewise
        crlb_ratio_richardson_ and crlb_ratio_spline_.
    share_crlb_within_1pc, _richardson, _spline: nodes where that ratio is 1 to 1 %.
    """
    everywhere = np.ones(len(comparison.nodes), dtype=bool)
    values = {}
    for place, population in (("autodiff", everywhere), ("autodiff/interior", comparison.interior)):
        address = f"{prefix}/{place}"
        values[f"{address}/n_nodes"] = float(population.sum())
        for label, column in zip(comparison.free, comparison.difference[population].T, strict=True):
            values |= {
                f"{address}/{name}": value for name, value in _robust(f"difference_{label}", column, "max").items()
            }
        for route in ("", "_richardson", "_spline"):
            ratio = getattr(comparison, f"crlb_ratio{route}")[population]
            values |= {f"{address}/{name}": value for name, value in _robust(f"crlb_ratio{route}", ratio).items()}
            if ratio.size:
                values[f"{address}/share_crlb_within_1pc{route}"] = float(np.mean(np.abs(ratio - 1.0) <= AGREEMENT))
    return values


def r2max(crlb: Array, variance: float = PAPER_VARIANCE) -> Array:
    """The paper's ceiling of each node, clip(1 - C / V, 0, 1)."""
    return np.clip(1.0 - crlb / variance, 0.0, 1.0)


def aggregate(crlb: Array, variance: float, weights: Array | None = None) -> float:
    """Largest R2 of an unbiased estimator over a population, 1 - E[C] / V; negative where noise exceeds the spread."""
    return float(1.0 - np.average(crlb, weights=weights) / variance)


def local_prior(crlb: Array, variance: float, weights: Array | None = None) -> float:
    """R2 of the posterior mean under a Gaussian prior of variance V, 1 - E[C / (C + V)] (linear-Gaussian limit)."""
    return float(1.0 - np.average(crlb / (crlb + variance), weights=weights))


def law_weights(table: CeilingTable) -> Array:
    """Share (N,) of each node among spectra that snap to nodes: its part of every free axis, cut at the ends.

    On equal steps end nodes have half the weight of the others. A node that stands there several times shares its own.
    """
    _, same, times = np.unique(table.labels, axis=0, return_inverse=True, return_counts=True)
    weights = 1.0 / times[same.ravel()]
    for name in table.free:
        nodes, place = np.unique(table.label(name), return_inverse=True)
        middles = 0.5 * (nodes[1:] + nodes[:-1])
        weights *= np.diff(middles, prepend=nodes[0], append=nodes[-1])[place]
    return weights / weights.sum()


def law_variance(table: CeilingTable) -> float:
    """Variance of the target under the sampling law of the spectrum sets.

    One of the k free labels, drawn at random, keeps its uniform value; the others snap to nodes. For log g on
    1 ... 5 this is 1.361 with three labels and 1.367 with five (published label spread: 1.168 squared = 1.365).
    """
    values = table.label(table.target)
    weights = law_weights(table)
    snapped = np.average((values - np.average(values, weights=weights)) ** 2, weights=weights)
    uniform = (values.max() - values.min()) ** 2 / 12.0
    continuous = 1.0 / len(table.free)
    return float((1.0 - continuous) * snapped + continuous * uniform)


def _parts(table: CeilingTable) -> dict[str, NDArray[np.bool_]]:
    """Nodes (N,) of each part that `summarise` gives values for."""
    parts = {"interior": table.interior}
    for name, (label, low, high) in _REGIONS.items():
        parts[name] = (table.label(label) >= low) & (table.label(label) <= high)
    gravity = table.label("log_g")
    return parts | {f"log_g={node:g}": gravity == node for node in np.unique(gravity)}


def _checks(table: CeilingTable) -> str:
    return "checks" if len(table.free) == 3 else f"checks/{len(table.free)}D"


def _chosen(table: CeilingTable, m: int, nodes: NDArray[np.bool_], counted: NDArray[np.intp]) -> NDArray[np.intp]:
    """Rows, with repetitions, of the identifiable ones among some nodes (N,)."""
    return counted[(nodes & table.identifiable[m])[counted]]


def _routes(table: CeilingTable, m: int, use: NDArray[np.intp]) -> dict[str, float]:
    """How far the bounds of the other derivatives lie from those of first-order edges, over some rows of nodes."""
    routes = np.stack([getattr(table, f"crlb_{route}")[m, use] for route in ROUTES]) / table.crlb[m, use]
    values = {}
    for route, ratio in zip(ROUTES, routes, strict=True):
        finite = np.abs(ratio[np.isfinite(ratio)] - 1.0)
        if finite.size:
            values[f"crlb_{route}_change_median"], values[f"crlb_{route}_change_p90"] = np.percentile(finite, (50, 90))
    if use.size:
        spread_of_routes = np.maximum(routes.max(axis=0), 1.0) / np.minimum(routes.min(axis=0), 1.0)
        values["share_routes_within_1pc"] = np.mean(spread_of_routes <= 1.0 + AGREEMENT)
        values["routes_spread_median"] = finite_median(spread_of_routes - 1.0)
        # truncation left aside: the two routes of higher order
        values["share_richardson_spline_within_1pc"] = np.mean(np.abs(routes[2] / routes[1] - 1.0) <= AGREEMENT)
    return {name: float(value) for name, value in values.items()}


def _part(table: CeilingTable, m: int, use: NDArray[np.intp]) -> dict[str, float]:
    if not use.size:
        return {}
    crlb = table.crlb[m, use]
    return {
        "r2max_median": float(np.median(r2max(crlb))),
        "sigma_median": float(np.median(np.sqrt(crlb))),
        "crlb_median": float(np.median(crlb)),
        "schur_median": float(np.median(table.schur[m, use])),
        "r2_aggregate": aggregate(crlb, PAPER_VARIANCE),
        "crlb_lattice_step_change_median": finite_median(np.abs(table.crlb_richardson[m, use] / crlb - 1.0)),
    }


def _magnitude(table: CeilingTable, m: int, counted: NDArray[np.intp]) -> dict[str, float]:
    known = table.identifiable[m]
    if not known.any():
        return {}
    use = _chosen(table, m, known, counted)
    crlb, law, law_v = table.crlb[m, use], law_weights(table)[known], law_variance(table)
    ceiling, sigma = r2max(crlb), np.sqrt(crlb)
    low, middle, high = table.snr_percentiles[m]
    result = {"snr_median": middle, "snr_p5": low, "snr_p95": high, "error_median": table.error_median[m]}
    result |= spread("r2max", ceiling, "mean", "std")
    result |= spread("sigma", sigma)
    result |= spread("crlb", crlb, "mean", "min", "max")
    result |= spread("schur", table.schur[m, use], "min", "max")
    result |= {
        "r2max_share_zero": np.mean(ceiling == 0.0),
        "r2max_median_unclipped": np.median(1.0 - crlb / PAPER_VARIANCE),
        "r2max_median_label_variance": np.median(r2max(crlb, law_v)),
        "r2max_median_other_edges": finite_median(r2max(table.crlb_second_order[m, use])),
        "r2_aggregate": aggregate(crlb, PAPER_VARIANCE),
        "r2_aggregate_label_variance": aggregate(table.crlb[m, known], law_v, law),
        "r2_local_prior": local_prior(table.crlb[m, known], law_v, law),
        "rmse_min": np.sqrt(crlb.mean()),
        "crlb_span_decades": np.log10(crlb.max() / crlb.min()),
        "crlb_lattice_step_change_median": finite_median(np.abs(table.crlb_richardson[m, use] / crlb - 1.0)),
        "condition_median": np.median(table.condition_raw[m, use]),
        "condition_max": table.condition_raw[m, use].max(),
        "condition_scaled_median": np.median(table.condition_scaled[m, use]),
        "sigma_times_snr": np.median(sigma) * middle,
    }
    return {name: float(value) for name, value in result.items()}


def spread(name: str, values: Array, *extra: str) -> dict[str, float]:
    """Tenth, middle and ninetieth percentile of values (n,), and further statistics, under names that begin alike."""
    low, middle, high = np.percentile(values, (10.0, 50.0, 90.0))
    result = {f"{name}_p10": low, f"{name}_median": middle, f"{name}_p90": high}
    return result | {f"{name}_{statistic}": _STATISTICS[statistic](values) for statistic in extra}


def _robust(name: str, values: Array, *extra: str) -> dict[str, float]:
    """The same of the finite values; nothing if there are none."""
    finite = values[np.isfinite(values)]
    return {key: float(value) for key, value in spread(name, finite, *extra).items()} if finite.size else {}


def _largest(values: Array) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.max()) if finite.size else float("nan")


def finite_median(values: Array) -> float:
    """Median of the finite values; nan if there are none."""
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if finite.size else float("nan")


def _across_magnitudes(table: CeilingTable, rows: list[dict[str, float]]) -> dict[str, float]:
    known = [row for row in rows if row]
    if len(known) < 2:
        return {}
    snr = np.array([row["snr_median"] for row in known])
    crlb = np.array([row["crlb_median"] for row in known])
    schur = [row["schur_median"] for row in known]
    return {
        "sigma_snr_slope": float(np.polyfit(np.log(snr), 0.5 * np.log(crlb), 1)[0]),
        "snr_at_r2max_half": snr_at(snr, crlb, 0.5 * PAPER_VARIANCE),
        "snr_at_r2max_zero": snr_at(snr, crlb, PAPER_VARIANCE),
        "schur_range": max(schur) - min(schur),
    }


def snr_at(snr: Array, crlb: Array, value: float) -> float:
    """SNR at which the (median) bound falls to `value`: a power law between neighbouring points, nan outside them.

    1 - value / V is then the unclipped median ceiling, so V / 2 gives the SNR of R2max = 0.5 and V that of 0.
    """
    order = np.argsort(crlb)
    found = np.interp(np.log(value), np.log(crlb[order]), np.log(snr[order]), left=np.nan, right=np.nan)
    return float(np.exp(found))
