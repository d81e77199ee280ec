"""What a scale leaves out of the matrix of experiments: the difference of two sections of params.yaml."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

LARGER: Final = {"ci": "lab", "lab": "paper"}  # where the rest of a scale's matrix is run

NAMES: Final = {
    "sizes": "training spectra",
    "seeds": "seeds",
    "repeated": "noise levels with all seeds at the largest size",
    "components": "components of PCA and PLS",
    "pixels": "chosen pixels",
    "trees": "trees at most",
    "tree_share": "share of the pixels that a tree may use",
    "tree_bins": "bins of a pixel in trees",
    "tree_rates": "learning rates of trees",
    "tree_leaves": "leaves of trees",
    "network_levels": "noise levels of networks",
    "network_sizes": "training spectra of networks",
    "epochs": "epochs of perceptrons",
    "cnn_size": "training spectra of the CNN",
    "cnn_batch": "spectra of an update of the CNN",
    "cnn_kernels": "kernels of the CNN [pixels]",
    "cnn_rates": "learning rates of the CNN",
    "cnn_steps": "updates of the CNN",
    "validation_sizes": "sizes of the validation set",
}


class Missing(NamedTuple):
    """One parameter of which the larger scale has more: what it adds, and what the smaller one has."""

    what: str
    left: str
    here: str


def left_out(own: Mapping[str, Any], larger: Mapping[str, Any]) -> Iterator[Missing]:
    """What a larger scale's section has and a scale's own has not, parameter by parameter.

    Of a list the values that are only in the larger one, of a number the larger one where it differs.
    """
    for name, more in larger.items():
        if name.startswith("_"):
            continue
        have = own[name]
        if isinstance(more, list | tuple):
            left = [value for value in more if value not in have]
            if left:
                yield Missing(NAMES.get(name, name), _listed(left), _listed(have))
        elif more != have:
            yield Missing(NAMES.get(name, name), f"{more:g}", f"{have:g}")


def _listed(values: Any) -> str:
    return ", ".join(f"{value:g}" if value < 1e6 else f"{value}" for value in values)
