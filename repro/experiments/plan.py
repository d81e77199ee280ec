"""Where the families of models are trained, and the words that their arms have in common."""

from collections.abc import Iterator, Sequence
from typing import Final, Protocol

CLEAN: Final = 0.0  # noise levels at which the published studies stand
PUBLISHED: Final = 1.0
RAISED: Final = 1.2  # training noise beside the published levels, for models that are tested at 1

# 20 penalties of Ridge in squared flux units (median 0.5), every published one among them
ALPHAS: Final = (1e-3, 1e-2, 0.1, 1, 3, 10, 20, 50, 75, 100, 150, 200, 500, 1e3, 2e3, 5e3, 1e4, 3e4, 1e5, 1e6)


class RunPlan(Protocol):
    """The part of a scale's matrix that says where a family of models is trained."""

    @property
    def sizes(self) -> Sequence[int]:
        """Training set sizes, increasing."""
        ...

    @property
    def seeds(self) -> int:
        """Number of runs."""
        ...

    @property
    def repeated(self) -> Sequence[float]:
        """Noise levels at which the largest size has all runs; others have run 0 alone."""
        ...


def runs_and_sizes(plan: RunPlan) -> Iterator[tuple[int, int]]:
    """Every (run, size), a run's sizes after each other, so that its noise is drawn once."""
    for run in range(plan.seeds):
        for n in plan.sizes:
            yield run, n


def levels_at(plan: RunPlan, levels: Sequence[float], n: int, run: int) -> tuple[float, ...]:
    """Noise levels that a run at a size has."""
    once = n == plan.sizes[-1] and run > 0
    return tuple(level for level in levels if not once or level in plan.repeated)


def setting(**parts: float | str) -> str:
    """`name=value` joined by `+`, numbers with six digits at most."""
    return "+".join(f"{name}={value if isinstance(value, str) else f'{value:g}'}" for name, value in parts.items())
