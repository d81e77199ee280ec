"""Track A's models against the ceilings of the same stars, overall and in SNR bins, and the alarm for leaks.

Every ceiling is measured on the stars that all of them are known for, on the noise that the models saw. R2 of a bin is
relative to the label variance of the bin. <ceiling> is

    mmse         the exact Bayes optimum of the noisy flux, what the models are shown: nothing does better
    crlb         unbiased estimators: 1 - E[C] / V, which biased models may exceed
    local_prior  the linear-Gaussian optimum 1 - E[C / (C + V)] / V
    median       the published ceiling: the median over nodes of clip(1 - C / V, 0, 1) at the SNR of the bin's stars
    van_trees    any estimator of stars drawn evenly from the box, see `star_references.van_trees_curve`

Evidence addresses; <bin> is `snr/<low>-<high>` or `quantile/<1..8>`:

ceiling/<ceiling>/r2, ceiling/<ceiling>/<bin>/r2      on these stars
gap/<ceiling>/r2, gap/<ceiling>/<bin>/r2              that minus the R2 of the main model, paired
eta/<ceiling>, eta/<ceiling>/<bin>                    R2 of the main model over that of the ceiling
ratio/<ceiling>                                       squared error of the ceiling over that of the main model
leak                                                  number of networks and baselines that do better than is possible
leak/<model>                                          1 where one does
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from repro.scores.bins import FEWEST, SNR_EDGES, r2
from repro.scores.bootstrap import Scored, Undefined
from repro.scores.contenders import Contenders
from repro.scores.efficiency import Efficiency, efficiency
from repro.scores.leak import leaks
from repro.scores.parts import QUANTILES, fixed_snr, quantile_snr
from repro.scores.predictions import PredictionTable
from repro.scores.sensitivity import Conditions, Item, conditions
from repro.scores.star_references import StarReferences

Array = NDArray[np.float64]


def against_ceilings(table: PredictionTable, references: StarReferences) -> Efficiency:
    """Models against every ceiling of the references, in all bins of the kit and in quantiles of SNR."""
    return efficiency(table, references.ceilings(), quantile_snr(table.snr))


def ceiling_items(known: Contenders, references: StarReferences, recipe: str) -> Iterator[Item]:
    """Evidence values, see above."""
    table = known.predictions()
    result = against_ceilings(table, references)
    stars: Conditions = {"n_test": int(result.count[0])}
    rows = known.scores.rows(known.main)
    where = dict(stars) | dict(conditions(known.scores, rows)) | {"model": known.name, "recipe": recipe}
    model = result.models.index(known.name)
    runs = _runs(known, references)
    for c, name in enumerate(result.ceilings):
        for k, place in {0: "", **_bins(result)}.items():
            addresses = (f"ceiling/{name}{place}/r2", f"gap/{name}{place}/r2", f"eta/{name}{place}")
            if result.count[k] < FEWEST:
                few = Undefined(f"{int(result.count[k])} stars with all ceilings, fewer than {FEWEST}")
                yield from ((address, few, where) for address in addresses)
                continue
            best, own = result.ceiling_r2[c, k], result.r2[model, k]
            yield addresses[0], _value(best), stars
            yield addresses[1], _value(best - own, best[0] - runs[place]), where
            eta = best[0] > 0
            none = Undefined(f"this ceiling explains nothing here: its R2 is {best[0]:.2f}, and eta would divide by it")
            yield addresses[2], _value(result.eta[model, c, k], runs[place] / best[0]) if eta else none, where
        ratio = (1.0 - result.ceiling_r2[c, 0, 0]) / (1.0 - runs[""])
        yield f"ratio/{name}", _value(result.ratio[model, c, 0], ratio), where
    found = leaks(result)
    yield "leak", float(sum(one is not None for one in found.values())), stars
    for one, alarm in found.items():
        yield f"leak/{one}", float(alarm is not None), stars


def _runs(known: Contenders, references: StarReferences) -> dict[str, Array]:
    """Bin -> R2 of each run of the main model, on the stars that every ceiling is known for."""
    table = known.predictions()
    chosen = np.isin(table.stars, references.stars[~np.isnan(references.loss).any(axis=0)])
    every = {"": np.ones(len(table.stars), dtype=bool)} | fixed_snr(table.snr) | quantile_snr(table.snr)
    runs = table.of(known.name)
    found = {}
    for name, members in every.items():
        use = members & chosen
        place = f"/{name}" if name else ""
        found[place] = np.array([r2(table.truth[use], run[use]) for run in runs])
    return found


def _value(samples: Array, runs: Array | None = None) -> Scored:
    """A number (1 + B,), and that of each run where seeds enter it."""
    return Scored(float(samples[0]), tuple(samples[1:].tolist()), () if runs is None else tuple(runs.tolist()))


def _bins(result: Efficiency) -> dict[int, str]:
    """Place -> name of the bins that evidence is given for."""
    edges = zip(SNR_EDGES, SNR_EDGES[1:], strict=False)
    wanted = {f"snr_{low:g}_{high:g}": f"/snr/{low:g}-{high:g}" for low, high in edges}
    wanted |= {f"quantile/{k}": f"/quantile/{k}" for k in range(1, QUANTILES + 1)}
    return {k: wanted[name] for k, name in enumerate(result.bins) if name in wanted}
