"""The ablations: what is changed in the reference training, one thing at a time, and the names that the arms have.

The published sweeps changed several things together; here only those members of theirs that `shape` lists do, and say
so in their setting. Everything that a setting does not name is as in the reference: learning rate, number of heads (8,
but 4 where the published member has 4), updates, noise and seed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final, NamedTuple

import torch

from repro.experiments.plan import PUBLISHED, setting
from repro.models.cnn import CnnNetwork
from repro.models.network import Kept, Labels
from repro.models.swin import MATCHED, SwinShape
from repro.models.vit import Shape, parameters_by_part
from repro.spectra.sampling import Mode
from repro.training.recipe import Recipe

KERNEL: Final = 9  # pixels of the convolutional network at matched parameters: the best of the published sweep
DECAY: Final = 0.999  # of the averaged weights, per update


@dataclass(frozen=True)
class Convolutions:
    """A convolutional network with as many parameters as another network uses."""

    channels: tuple[int, int]
    kernel: int = KERNEL


@dataclass(frozen=True)
class Variant:
    """One training.

    Attributes:
        network: what is trained.
        recipe: how.
        labels: how the label is scaled for it.
        weighted: whether squared errors count as 1 / sigma^2 with sigma the median error of the star's pixels.
        fresh: whether each presentation has other noise; otherwise all have that of the first.
        law: of the training labels; None: that of the data.
        level: noise of the training.
    """

    network: Shape | SwinShape | Convolutions
    recipe: Recipe
    labels: Labels = "zscore"
    weighted: bool = False
    fresh: bool = True
    law: Mode | None = None
    level: float = PUBLISHED


class Entry(NamedTuple):
    """Where a training stands in the table: its experiment and setting, and which of its weights are what counts."""

    experiment: str
    setting: str
    kept: Kept = "best"


Change = Callable[[Variant], Variant]


def _network(**changed: Any) -> Change:
    return lambda variant: replace(variant, network=replace(variant.network, **changed))


def _recipe(**changed: Any) -> Change:
    return lambda variant: replace(variant, recipe=replace(variant.recipe, **changed))


def _training(**changed: Any) -> Change:
    return lambda variant: replace(variant, **changed)


def _each(change: Callable[..., Change], name: str, *values: Any) -> dict[str, Change]:
    return {setting(**{name: value}): change(**{name: value}) for value in values}


def _shape(patch: int, width: int, depth: int, heads: int = 8, stride: int | None = None) -> dict[str, Change]:
    named = {"patch": patch, "width": width, "depth": depth}
    overlap = {} if stride is None else {"stride": stride}
    return {setting(**named, **overlap): _network(**named, heads=heads, stride=stride)}


# by experiment and setting; `swin`, `cnn_matched` and `cross_noise` follow from the reference and the data
_CHANGES: Final[Mapping[str, Mapping[str, Change]]] = {
    "tokenizer": {
        "tokenizer=c1d": _network(tokenizer="c1d"),
        "tokenizer=sw": _network(tokenizer="sw", init="published"),
        "tokenizer=sw+init=conv": _network(tokenizer="sw", init="conv"),
    },
    "positions": _each(_network, "positions", "learned", "rotary", "none"),
    "pooling": _each(_network, "pooling", "cls", "mean"),
    "loss": _each(_recipe, "loss", "mse", "l1", "huber"),
    "labels": _each(_training, "labels", "zscore", "minmax", "none"),
    "shape": {
        **_shape(16, 256, 6),
        **_shape(8, 256, 6),  # patch alone
        **_shape(32, 256, 6),
        **_shape(64, 256, 6),
        **_shape(16, 128, 6),  # width alone
        **_shape(16, 384, 6),
        **_shape(16, 256, 4),  # depth alone
        **_shape(16, 256, 8),
        **_shape(8, 128, 8, heads=4),  # members of the published sweeps that differ in several things
        **_shape(32, 256, 4, heads=4, stride=8),
        **_shape(32, 128, 4, heads=4),
        **_shape(32, 384, 4),
        **_shape(64, 256, 8),
    },
    "weights": {"weights=none": _training(weighted=False), "weights=error": _training(weighted=True)},
    "kept": {
        "kept=best": _training(),
        "kept=last": _training(),
        "kept=average": _recipe(average=DECAY),
    },
    "noise": {"noise=fresh": _training(fresh=True), "noise=fixed": _training(fresh=False)},
    "decay": {setting(decay=value): _recipe(weight_decay=value) for value in (0.01, 0.0001)},
    "lattice": _each(_training, "law", "paper", "continuous"),
}

_KEPT: Final[Mapping[str, Kept]] = {"kept=last": "last", "kept=average": "average"}


def ablations(
    names: Sequence[str], reference: Variant, *, pixels: int, law: Mode | None, levels: Sequence[float]
) -> dict[Variant, list[Entry]]:
    """All trainings of some experiments, each once, with the places in the table that it has.

    Args:
        names: of experiments, of `params.ABLATIONS`.
        reference: what every experiment changes one thing of.
        pixels: of a spectrum.
        law: of the labels of the data; None: labels of another law cannot be drawn, and `lattice` is left out.
        levels: noise levels that `cross_noise` trains at.
    """
    shape = reference.network
    assert isinstance(shape, Shape)
    derived: dict[str, Callable[[], Mapping[str, Change]]] = {
        "swin": lambda: {"": _training(network=replace(MATCHED, inputs=shape.inputs))},
        "cnn_matched": lambda: {setting(kernel=KERNEL): _training(network=matched(shape, pixels))},
        "cross_noise": lambda: {f"level={level:g}": _training(level=level) for level in levels},
    }
    found: dict[Variant, list[Entry]] = {}
    for experiment in names:
        if experiment == "lattice" and law is None:
            continue
        changes = derived[experiment]() if experiment in derived else _CHANGES[experiment]
        for name, change in changes.items():
            variant = change(reference)
            variant = replace(variant, law=None) if variant.law == law else variant
            named = "" if experiment in ("cross_noise", "swin") else name
            kept: Kept = _KEPT.get(name, "best")
            found.setdefault(variant, []).append(Entry(experiment, named, kept))
    return found


@lru_cache
def matched(shape: Shape, pixels: int) -> Convolutions:
    """The widest convolutional network, s and 2 s channels, without more parameters than a transformer uses."""
    most = parameters_by_part(shape, pixels)["used"]
    width = 1
    while _count((width + 1, 2 * width + 2), pixels) <= most:
        width += 1
    return Convolutions((width, 2 * width))


def _count(channels: tuple[int, int], pixels: int) -> int:
    with torch.device("meta"):
        network = CnnNetwork(torch.zeros(pixels), torch.ones(pixels), KERNEL, 1, "average", channels, True)
    return sum(weights.numel() for weights in network.parameters())
