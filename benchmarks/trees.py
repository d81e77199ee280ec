"""Boosted trees against plain calls of LightGBM on the same spectra with the same settings, in the same run.

    python -m benchmarks.trees [number of spectra]

Spectra are those of `benchmarks.ridge`, 2048 x 4096 by default. One fit: the kit's model, the plain call with the same
settings, and the plain call that sorts as the library does by itself (it looks for bundles of pixels, and takes the
edges of the bins from all spectra). Then six fits at two rates and three choices of leaves: on bins built once, and as
plain calls that build them anew. Each is timed twice in turns, the faster counts; so that a loaded machine spoils less.
"""

import sys
import time
from collections.abc import Callable
from itertools import product

import lightgbm
import numpy as np
import torch

from benchmarks.ridge import PIXELS, Made
from repro.models.gbdt import BINS, EDGES, LEAST, Bins, Gbdt
from repro.training.spectra import Validation, blocks

TREES = 50
SHARE = 0.05
RATES, LEAVES = (0.05, 0.1), (7, 15, 31)


def main() -> None:
    """Print times, their ratios, and the largest difference of estimates."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 2048
    flux, y = _made(count)
    seen = Validation(*_made(512))
    one = [(0.1, 31)]
    ways: dict[str, Callable[[], list[np.ndarray]]] = {
        "kit, one fit": lambda: _ours(flux, y, seen, one),
        "plain call, same settings": lambda: _plain(flux, y, seen, one, same=True),
        "plain call, own bins": lambda: _plain(flux, y, seen, one, same=False),
        "kit, six fits, bins shared": lambda: _ours(flux, y, seen, list(product(RATES, LEAVES))),
        "six plain calls, same settings": lambda: _plain(flux, y, seen, list(product(RATES, LEAVES)), same=True),
    }
    seconds = dict.fromkeys(ways, np.inf)
    estimates = {}
    for _ in range(2):
        for name, way in ways.items():
            started = time.perf_counter()
            estimates[name] = way()
            seconds[name] = min(seconds[name], time.perf_counter() - started)
    print(f"{count} spectra x {PIXELS} pixels, {TREES} trees, {SHARE:g} of the pixels a tree, {BINS} bins,")
    print(f"{torch.get_num_threads()} threads")
    for name, taken in seconds.items():
        r2 = [1.0 - np.mean((found - seen.y) ** 2) / np.var(seen.y) for found in estimates[name]]
        print(f"  {name:32s} {taken:6.1f} s, validation R2 {', '.join(f'{value:.3f}' for value in r2)}")
    first, same, own, shared, apart = ways
    ratios = seconds[same] / seconds[first], seconds[own] / seconds[first]
    print(f"  one fit: {ratios[0]:.2f} and {ratios[1]:.2f} times as fast (target 1)")
    print(f"  six fits: {seconds[apart] / seconds[shared]:.2f} times as fast")
    pairs = [
        *zip(estimates[first], estimates[same], strict=True),
        *zip(estimates[shared], estimates[apart], strict=True),
    ]
    print(f"  largest difference at the same settings {max(np.abs(a - b).max() for a, b in pairs):.1e}")


def _ours(flux: np.ndarray, y: np.ndarray, seen: Validation, settings: list[tuple[float, int]]) -> list[np.ndarray]:
    bins = Bins(flux)
    return [
        Gbdt(TREES, rate, leaves, share=SHARE).fit(bins, y, validation=seen).predict(seen.flux)
        for rate, leaves in settings
    ]


def _plain(
    flux: np.ndarray, y: np.ndarray, seen: Validation, settings: list[tuple[float, int]], *, same: bool
) -> list[np.ndarray]:
    found = []
    for rate, leaves in settings:
        sorting = {"max_bin": BINS, "verbosity": -1}
        growing = {"objective": "regression", "learning_rate": rate, "num_leaves": leaves, "feature_fraction": SHARE}
        growing |= {"min_data_in_leaf": LEAST, "deterministic": True, "force_col_wise": True, "seed": 0}
        edges = None
        if same:
            sorting |= {"enable_bundle": False, "feature_pre_filter": False}
            edges = lightgbm.Dataset(flux[:EDGES], y[:EDGES], params=sorting)
        train = lightgbm.Dataset(flux, y, reference=edges, params=sorting)
        shown = lightgbm.Dataset(seen.flux, seen.y, reference=train, params=sorting)
        stop = lightgbm.early_stopping(50, verbose=False)
        model = lightgbm.train(sorting | growing, train, TREES, valid_sets=[shown], callbacks=[stop])
        found.append(np.asarray(model.predict(seen.flux)))
    return found


def _made(count: int) -> tuple[np.ndarray, np.ndarray]:
    source = Made(count)
    return np.concatenate([block.numpy() for _, block in blocks(source, 0)]), source.label()


if __name__ == "__main__":
    main()
