"""What a command line asks for, and the views that answer it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from repro.errors import ParameterError
from repro.view import air
from repro.view.load import PFS, Loader
from repro.view.slopes import own_span, with_slopes
from repro.view.spectrum import Scale, View, continua, on_one_grid, scaled

_ALL = (0.0, np.inf)


@dataclass(frozen=True)
class Wish:
    """How spectra shall be shown. between: [A, vacuum]."""

    scale: Scale = "median"
    derivatives: tuple[str, ...] = ("log_g",)
    between: tuple[float, float] = _ALL
    in_air: bool = False
    resolution: str = PFS
    noise: float | None = None
    microturbulence: float = 2.0

    @classmethod
    def of(
        cls,
        *,
        scale: Scale | None,
        derivatives: Sequence[str],
        low: float | None,
        high: float | None,
        in_air: bool,
        resolution: str,
        microturbulence: float,
        noise: float | None = None,
    ) -> "Wish":
        """From the options of the command line; low and high are in air with `in_air`.

        Raises:
            ParameterError: the range is empty, or `none` stands among derivatives.
        """
        first, last = _ALL[0] if low is None else low, _ALL[1] if high is None else high
        if not 0.0 <= first < last:
            raise ParameterError(f"from {first:g} to {last:g} A there is nothing: --from must be less than --to")
        if "none" in derivatives and len(derivatives) > 1:
            raise ParameterError("--derivative none excludes other derivatives")
        if in_air:
            first, last = (float(air.to_vacuum(np.array(x))) if 0.0 < x < np.inf else x for x in (first, last))
        wanted = tuple(dict.fromkeys(label for label in derivatives if label != "none"))
        return cls(scale or "median", wanted, (first, last), in_air, resolution, noise, microturbulence)


def views(what: Sequence[str], wish: Wish) -> tuple[list[View], str]:
    """The spectra named, each on its own pixels, and a word on their continuum for the axis.

    Raises ParameterError or DataError as `load.Loader`.
    """
    load = _loader(wish)
    found = [with_slopes(*load(text), wish.derivatives) for text in what]
    result, extra = _scaled(found, wish)
    return [view.between(*wish.between) for view in result], extra


def pair(one: str, other: str, wish: Wish) -> tuple[View, View, str]:
    """Two spectra on one grid, with derivatives that mean the same, and a word on their continuum for the axis.

    Raises ParameterError or DataError as `load.Loader`.
    """
    load = _loader(wish)
    loaded = [load(one), load(other)]
    steps = {
        label: span
        for label in wish.derivatives
        for _, origin in loaded
        if (span := own_span(origin, label)) is not None
    }
    alike = [with_slopes(view, origin, wish.derivatives, steps) for view, origin in loaded]
    result, extra = _scaled(list(on_one_grid(*alike)), wish)
    return result[0].between(*wish.between), result[1].between(*wish.between), extra


def _loader(wish: Wish) -> Loader:
    return Loader(wish.resolution, wish.noise, wish.microturbulence)


def _scaled(found: list[View], wish: Wish) -> tuple[list[View], str]:
    if wish.scale != "continuum":
        return [scaled(view, wish.scale) for view in found], ""
    levels, kind = continua(*found)
    return [scaled(view, "continuum", level) for view, level in zip(found, levels, strict=True)], f" ({kind})"
