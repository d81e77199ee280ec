"""V1's failed estimate: its numbers, the reason for them, and the control on the same sample.

Needs numpy alone, so that stored evidence can be judged without torch or pandas.
"""

import numpy as np

from repro.bounds.neighbours_table import NeighbourTable
from repro.scores.ceilings import PAPER_VARIANCE, finite_median, r2max, spread


def summarise_neighbours(table: NeighbourTable) -> dict[str, float]:
    """Evidence values under V1/, over the spectra for which the estimate succeeded.

    r2max_, crlb_, sigma_, schur_, condition_: as in `ceilings.summarise`; r2_aggregate is the definition of the
        protocol, which its table silently replaced by the median.
    n_labels, n_unique_log_g: of the whole sample.
    crlb_ratio_: to the bound from lattice derivatives, same three labels and errors.
    cause/information_ratio_: same for the information on log g alone, which no degeneracy enters.
    cause/span_median: log g difference of the two neighbours, in V1's nominal steps of 0.1 dex.
    cause/share_other_abundances: neighbours along log g that differ in a_M or C_M.
    cause/correlation, cause/slope: of the logarithms of that ratio and that difference; a flux difference that does
        not follow the label gives -2.
    cause/information_ratio_median_same_abundances: where they do not differ.
    cause/information_ratio_median_near, _far: among the tenths of the spectra with the smallest and largest difference.
    control/: bounds from local linear regression in all labels on the same sample, over those of the lattice.
    """
    use = table.succeeded
    values = {
        "V1/n_labels": float(len(use)),
        "V1/n_unique_log_g": float(len(np.unique(table.labels[:, 1]))),
        "V1/n_succeeded": float(use.sum()),
    }
    return values | _estimate(table) | _cause(table) | _control(table) if use.any() else values


def _estimate(table: NeighbourTable) -> dict[str, float]:
    use = table.succeeded
    crlb = table.crlb[use]
    ceiling = r2max(crlb)
    values = spread("r2max", ceiling, "mean", "std", "max")
    values |= spread("crlb", crlb, "mean", "min", "max")
    values |= spread("sigma", np.sqrt(crlb))
    values |= spread("schur", table.schur[use], "min")
    values |= spread("condition", table.condition[use], "min", "max")
    values |= spread("crlb_ratio", crlb / table.lattice_crlb[use])
    values |= {
        "r2max_share_zero": float(np.mean(ceiling == 0.0)),
        "r2_aggregate": float(1.0 - crlb.mean() / PAPER_VARIANCE),
        "crlb_span_decades": float(np.log10(crlb.max() / crlb.min())),
        "share_succeeded": float(use.mean()),
    }
    return {f"V1/{name}": value for name, value in values.items()}


def _cause(table: NeighbourTable) -> dict[str, float]:
    use = table.succeeded
    span, other = table.span[use, 1], table.other_abundances[use, 1]
    ratio = table.information[use] / table.lattice_information[use]
    near, far = np.percentile(span, (10.0, 90.0))
    steps, inflation = np.log10(span), np.log10(ratio)
    constant = np.ptp(steps) == 0.0 or np.ptp(inflation) == 0.0
    values = spread("information_ratio", ratio)
    values |= {
        "span_median": float(np.median(span)),
        "share_other_abundances": float(other.mean()),
        "correlation": float("nan") if constant else float(np.corrcoef(steps, inflation)[0, 1]),
        "slope": float("nan") if constant else float(np.polyfit(steps, inflation, 1)[0]),
        "information_ratio_median_same_abundances": finite_median(ratio[~other]),
        "information_ratio_median_near": float(np.median(ratio[span <= near])),
        "information_ratio_median_far": float(np.median(ratio[span >= far])),
    }
    return {f"V1/cause/{name}": value for name, value in values.items()}


def _control(table: NeighbourTable) -> dict[str, float]:
    ratio = table.control_crlb / table.control_lattice_crlb
    labels = table.labels[table.control]
    inside = np.all((labels > table.labels.min(axis=0)) & (labels < table.labels.max(axis=0)), axis=1)
    values = {"V1/control/n_spectra": float(len(ratio))}
    for place, chosen in (("control", ratio), ("control/interior", ratio[inside])):
        finite = chosen[np.isfinite(chosen)]
        if finite.size:
            values |= {f"V1/{place}/{name}": value for name, value in spread("crlb_ratio", finite).items()}
    return values
