"""Tables of attention maps, made up."""

import numpy as np

from repro.experiments.attention_table import MAPS, REFERENCES, VARIANTS, AttentionTable

GROUPS = ("Ca II triplet", "Na I", "Paschen")


def shares(values):
    return values / values.sum(axis=-1, keepdims=True)


def attention_table(n=12, cells=32, cells_a_token=2, layers=2, heads=3, seed=0, **changed):
    """Random maps of n stars of all classes, on cells of four pixels, even over tokens where they should be."""
    rng = np.random.default_rng(seed)
    tokens = rng.gamma(2.0, size=(len(VARIANTS), 2, n, cells // cells_a_token))
    fine = rng.gamma(2.0, size=(len(VARIANTS), len(MAPS) - 2, n, cells))
    values = shares(np.concatenate([np.repeat(tokens, cells_a_token, axis=3), fine], axis=1))
    values[1:, MAPS.index("occlusion")] = np.nan
    by_head = rng.gamma(2.0, size=(len(VARIANTS), 3, layers, heads, cells // cells_a_token))
    pixels = 4 * cells
    windows = np.zeros((len(GROUPS), pixels), dtype=bool)
    windows[0, 40:52] = windows[0, 80:86] = windows[1, 17:23] = windows[2, 60:63] = windows[2, 100:103] = True
    labels = np.column_stack([np.full(n, 5000.0), 1.0 + 4.0 * np.arange(n) / max(n - 1, 1), *np.zeros((3, n))])
    content = {
        "model": "vit_small",
        "variants": VARIANTS,
        "maps": MAPS,
        "references": REFERENCES,
        "groups": GROUPS,
        "wave": 7100.0 + 13.7 * np.arange(pixels),
        "windows": windows,
        "stars": np.arange(n),
        "labels": labels,
        "snr": np.geomspace(3.0, 25.0, n),
        "cells_a_token": cells_a_token,
        "values": values.astype(np.float32),
        "reference_values": shares(rng.gamma(2.0, size=(len(REFERENCES), n, cells))).astype(np.float32),
        "heads": shares(np.repeat(by_head, cells_a_token, axis=4)).astype(np.float32),
        "row_sums": np.array([[1.0 - 1e-7, 1.0 + 1e-7]] * len(VARIANTS)),
        "predictions": rng.uniform(1.0, 5.0, (len(VARIANTS), n)),
        "occluded": rng.normal(0.0, 0.1, (n, len(GROUPS))),
        "flux": 0.5 + 0.05 * rng.normal(size=(3, pixels)).astype(np.float32),
        "profiles": shares(rng.gamma(1.0, size=(2, 3, pixels))).astype(np.float32),
        "conditions": {"n_train": 8000, "level": 1.0},
    }
    return AttentionTable(**(content | changed))


def with_map(table, name, values):
    """The same table with a map (n, C) of noisy stars in place of its own."""
    changed = table.values.copy()
    changed[0, table.maps.index(name)] = values
    return AttentionTable(**(vars(table) | {"values": changed}))
