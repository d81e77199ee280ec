"""Do models exploit that labels stand on nodes? Scores on and off the nodes, and the attraction of predictions to them.

In sampling mode `paper` four stars of five have a log g on a node, every 0.5 dex, so that the optimum itself is drawn
to nodes; a model trained on labels of the continuous law is the control that is not.

The attraction is the mean of cos(2 pi g / 0.5) over predictions g: 1 for predictions on nodes, -1 midway between them,
and 0 for any distribution that is smooth over 0.5 dex, whatever its shape. Of stars off the nodes no skill brings a
prediction to a node, so that there 0 is expected of every model that is not attracted.

Evidence addresses; <model> is the main model or a baseline at its largest size, or `optimum`, the posterior mean:

lattice/<model>/on_node/r2, off_node/r2       R2 of the stars whose log g is a multiple of 0.5, and of the others
lattice/<model>/on_node/rmse, off_node/rmse   [dex]
lattice/<model>/r2_gap                        R2 on nodes minus off nodes
lattice/<model>/attraction, attraction_off    of all predictions, and of those of stars off the nodes
lattice/<model>/attraction_off_p              probability of at least this in a smooth distribution (see `v_test`)
lattice/<model>/near_node, near_node_off      share of predictions within 0.05 dex of a node; smooth: 0.2
<cell of experiment lattice>/<the same>       of each law of the training labels
"""

import math
from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from repro.scores.arms import ArmScores, Rows, over_runs
from repro.scores.bins import FEWEST
from repro.scores.bootstrap import Scored, Undefined
from repro.scores.contenders import Contenders
from repro.scores.parts import Members, Part, plain
from repro.scores.sensitivity import Conditions, Item, conditions

Array = NDArray[np.float64]

STEP: Final = 0.5  # of the gravity nodes [dex]
NEAR: Final = 0.05  # [dex], a fifth of all phases
_EXACT: Final = 1e-5  # [dex], above the rounding of float32 labels
EXPERIMENT: Final = "lattice"


def on_node(log_g: Array) -> Members:
    """Which of some gravities (n,) [dex] stand on a node."""
    near: Members = np.asarray(node_distance(log_g) < _EXACT)
    return near


def node_distance(log_g: Array) -> Array:
    """Distance [dex] of gravities to the nearest node, at most 0.25."""
    distance: Array = np.abs(log_g - STEP * np.round(log_g / STEP))
    return distance


def attraction(log_g: Array) -> float:
    """Mean of cos(2 pi g / STEP) over gravities (n,); nan without any."""
    return float(np.mean(np.cos(2.0 * np.pi * log_g / STEP))) if len(log_g) else math.nan


def v_test(value: float, n: int) -> float:
    """Probability of an attraction of at least `value` of n independent phases that are uniform.

    The V test of Greenwood and Durand (1955, Ann. Math. Stat. 26, 233) in its normal limit, good from ten phases on.
    """
    return 0.5 * math.erfc(value * math.sqrt(2.0 * n) / math.sqrt(2.0))


def lattice_items(known: Contenders, optimum: Array) -> Iterator[Item]:
    """Evidence values, see above; `optimum` (n,) is the posterior mean of each star, nan where it is not known."""
    scores = known.scores
    for model, rows in known.headline.items():
        yield from _of_rows(scores, f"lattice/{model}", rows)
    for cell in scores.cells(experiment=EXPERIMENT):
        yield from _of_rows(scores, cell.address, scores.rows(cell))
    yield from _attraction(scores, "lattice/optimum", optimum[None], False, {})


def _of_rows(scores: ArmScores, address: str, rows: Rows) -> Iterator[Item]:
    where = conditions(scores, rows)
    members = on_node(scores.table.truth)
    sides = {"on_node": Part(scores, members), "off_node": Part(scores, ~members)}
    for name, part in sides.items():
        for metric in ("r2", "rmse"):
            yield f"{address}/{name}/{metric}", plain(part.measured(metric, rows)), where
        yield f"{address}/{name}/n", float(part.count), where
    seeded = scores.seeded(rows)
    few = next((name for name, part in sides.items() if part.count < FEWEST), None)
    gap = sides["on_node"].runs("r2", rows) - sides["off_node"].runs("r2", rows)
    reason = Undefined(f"{sides[few].count} stars {few.replace('_', ' ')}, fewer than {FEWEST}") if few else None
    yield f"{address}/r2_gap", reason or over_runs(gap, seeded).scored(), where
    yield from _attraction(scores, address, scores.table.predictions[rows].astype(np.float64), seeded, where)


def _attraction(scores: ArmScores, address: str, predictions: Array, seeded: bool, where: Conditions) -> Iterator[Item]:
    """Of predictions (R, n), nan where a star has none."""
    known: Members = np.asarray(np.isfinite(predictions).all(axis=0))
    groups: dict[str, Members] = {"": known, "_off": known & ~on_node(scores.table.truth)}
    for suffix, members in groups.items():
        count = int(members.sum())
        if not count:
            yield f"{address}/attraction{suffix}", Undefined("no star of this kind"), where
            continue
        chosen = predictions[:, members]
        cosine = np.cos(2.0 * np.pi * chosen / STEP)
        near = (node_distance(chosen) < NEAR).astype(np.float64)
        for name, values in (("attraction", cosine), ("near_node", near)):
            yield f"{address}/{name}{suffix}", _means(scores, members, values, seeded), where
        if suffix:
            p = [v_test(float(one.mean()), count) for one in cosine]
            yield f"{address}/attraction{suffix}_p", float(np.median(p)), where


def _means(scores: ArmScores, members: Members, values: Array, seeded: bool) -> Scored:
    draws = scores.draws[:, members]
    with np.errstate(divide="ignore", invalid="ignore"):
        return over_runs((draws @ values.T / draws.sum(axis=1)[:, None]).T, seeded).scored()
