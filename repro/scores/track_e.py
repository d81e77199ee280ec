"""What the matrix of experiments says of the linear shortcut: the values of Track E, under the addresses of Track F.

Those of the error array alone, of least squares and its rank cut, of Ridge against the MLP and their sum, and of all
comparisons that belong to them.
"""

from collections.abc import Iterator
from typing import Final

from repro.scores.track_f import Family, Tables, by_conditions, items

# first parts of the addresses, whole or up to the model
_KEPT: Final = (
    "error_only",
    "metadata",
    "ols",
    "ols_cut",
    "networks",
    "alpha_edge",
    "topk",
    "topk_clean",
    "pca",
    "pls",
)
_MODELS: Final = ("ols", "ridge", "mlp", "residual_mlp")
_BY_MODEL: Final = ("leaderboard", "scaling", "headroom")


def families(tables: Tables) -> Iterator[Family]:
    """As those of Track F, of Track E's addresses alone."""
    yield from by_conditions(item for item in items(tables) if belongs(item[0]))


def belongs(address: str) -> bool:
    """Whether a value of the matrix is one of Track E's."""
    first, model, *rest = address.split("/")
    if first == "alpha":
        return rest[0] in ("best", "test_chosen") or any(part == "noise0" for part in rest)
    if first == "compare":
        return all(name in _MODELS for name in model.split("-"))
    if first in _BY_MODEL:
        return model in _MODELS
    return first in _KEPT or address == "ceiling/mmse/r2"
