"""The simulator's prior in the sampling mode `paper`: which labels and conditions a star can have, how often.

One of the k free axes, each with probability 1/k, keeps its uniform value; the other labels sit on nodes, with the
share of the axis that is nearest to each (`spectra.sampling`). The prior is thus a mixture over intervals between
neighbouring nodes of the lattice's lines, uniform on each. log g has atoms at its nodes, together (k - 1)/k.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from repro.errors import DataError, ParameterError
from repro.instrument.noise import NoiseModel
from repro.labels import LABELS
from repro.spectra.lattice import Lattice
from repro.spectra.sampling import CONDITIONS, MAGNITUDES


@dataclass(frozen=True)
class Law:
    """How magnitude and observing conditions are drawn: uniformly between these limits.

    Attributes:
        magnitudes: HSC-i.
        zenith_angle, field_angle: [deg].
        seeing: [arcsec]; acts in the noise model `physical` alone.
    """

    magnitudes: tuple[float, float] = MAGNITUDES
    zenith_angle: tuple[float, float] = field(default=CONDITIONS["target_zenith_angle"])
    field_angle: tuple[float, float] = field(default=CONDITIONS["target_field_angle"])
    seeing: tuple[float, float] = field(default=CONDITIONS["seeing"])

    def limits(self, noise_model: NoiseModel) -> NDArray[np.float64]:
        """Limits of the conditions that act, (d, 2): magnitude, zenith angle, field angle and, if it acts, seeing.

        Raises:
            ParameterError: limits out of order.
        """
        limits = [self.magnitudes, self.zenith_angle, self.field_angle]
        if noise_model.mode == "physical":
            limits.append(self.seeing)
        for low, high in limits:
            if not low <= high:
                raise ParameterError(f"law of the conditions: the limits {low:g} and {high:g} are not in order")
        return np.array(limits)


@dataclass(frozen=True)
class Intervals:
    """The m intervals between neighbouring models on the lattice's lines.

    Attributes:
        axis: number of the label that runs, (m,).
        line: rows of the models of each interval's line in order, (m, K); -1 beyond the last.
        place: which of the line's models the interval starts from, (m,).
        ends: rows of the two models, (m, 2).
        log_prior: ln of the prior probability of the interval, (m,); together 1.
    """

    axis: NDArray[np.intp]
    line: NDArray[np.intp]
    place: NDArray[np.intp]
    ends: NDArray[np.intp]
    log_prior: NDArray[np.float64]

    def part(self, chosen: NDArray[np.intp]) -> "Intervals":
        """Some of the intervals."""
        return Intervals(
            self.axis[chosen], self.line[chosen], self.place[chosen], self.ends[chosen], self.log_prior[chosen]
        )


def intervals(lattice: Lattice) -> Intervals:
    """All intervals of a lattice, with their prior probability; lines with fewer than two models have none.

    Labels whose line has no model on both sides are drawn again by the generator, so that what remains is rescaled.

    Raises:
        DataError: no line has two models.
    """
    shares = [_shares(nodes) for nodes in lattice.axes.values()]
    longest = max(lattice.shape)
    axes, lines, places, ends, priors = [], [], [], [], []
    for name in lattice.free:
        axis = LABELS.index(name)
        values = np.array(lattice.axes[name])
        rows = np.moveaxis(lattice.rows, axis, -1).reshape(-1, len(values))
        others = np.ones(lattice.shape[:axis] + lattice.shape[axis + 1 :])
        for number, share in enumerate(shares[:axis] + shares[axis + 1 :]):
            others *= share.reshape([-1 if n == number else 1 for n in range(others.ndim)])
        for row, weight in zip(rows, others.ravel(), strict=True):
            present = np.flatnonzero(row >= 0)
            steps = len(present) - 1
            if steps < 1:
                continue
            line = np.full(longest, -1, dtype=np.intp)
            line[: steps + 1] = row[present]
            axes.append(np.full(steps, axis))
            lines.append(np.tile(line, (steps, 1)))
            places.append(np.arange(steps))
            ends.append(np.stack([row[present[:-1]], row[present[1:]]], axis=1))
            priors.append(weight * np.diff(values[present]))
            priors[-1] /= (values[-1] - values[0]) * len(lattice.free)
    if not axes:
        raise DataError("the lattice has no line with two models: there is no prior in the sampling mode `paper`")
    prior = np.concatenate(priors)
    return Intervals(
        np.concatenate(axes),
        np.concatenate(lines),
        np.concatenate(places),
        np.concatenate(ends),
        np.log(prior / prior.sum()),
    )


def _shares(nodes: tuple[float, ...]) -> NDArray[np.float64]:
    """Share of the axis that is nearest to each node, (n,)."""
    if len(nodes) == 1:
        return np.ones(1)
    values = np.array(nodes)
    edges = np.concatenate([values[:1], 0.5 * (values[1:] + values[:-1]), values[-1:]])
    shares: NDArray[np.float64] = np.diff(edges) / (values[-1] - values[0])
    return shares
