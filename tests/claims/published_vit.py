"""Numbers that the documents of track A give for the run on 1M spectra, typed a second time, laid out as evidence."""

from repro.claims.evidence import Evidence, parse_evidence
from repro.scores.published_vit_items import published_items

# bins of the paper's figure; R2 of each method in them, and in eight groups of equally many stars (README's figure)
BINS = ("2.5-3.5", "3.5-4.5", "4.5-5.5", "5.5-6.5", "6.5-8.5", "8.5-12.5", "12.5-18", "18-28")
FIXED = {
    "vit": (0.46, 0.46, 0.54, 0.64, 0.71, 0.80, 0.89, 0.91),
    "lightgbm": (0.27, 0.36, 0.43, 0.52, 0.59, 0.72, 0.82, 0.87),
    "ridge": (0.12, 0.24, 0.40, 0.48, 0.53, 0.58, 0.63, 0.67),
    "template": (0.2132, 0.2283, 0.2809, 0.3569, 0.3594, 0.5128, 0.5645, 0.5387),
}
QUANTILES = {
    "vit": (0.46, 0.52, 0.60, 0.68, 0.75, 0.82, 0.87, 0.90),
    "lightgbm": (0.36, 0.42, 0.50, 0.59, 0.68, 0.74, 0.80, 0.84),
    "ridge": (0.195, 0.386, 0.466, 0.518, 0.556, 0.592, 0.611, 0.647),
    "template": (0.219, 0.256, 0.363, 0.342, 0.469, 0.533, 0.571, 0.584),
}
CEILING_AT_5 = 0.727  # 5D median, between SNR 4.6 and 7.1

# training spectra -> R2 of the transformer, of LightGBM and of Ridge (on 500 stars but for the last)
SIZES = {
    10_000: (None, 0.4127, 0.3807),
    50_000: (0.4339, 0.4879, 0.4419),
    100_000: (0.5963, 0.5533, 0.4753),
    200_000: (0.6733, 0.5466, 0.4738),
    500_000: (0.7087, 0.5743, 0.4898),
    1_000_000: (0.7111, 0.6142, 0.4957),
}
MAE_Z = {100_000: 0.4716, 200_000: 0.4150, 500_000: 0.3831}

SINGLE = {
    "headline/r2": 0.7111,
    "headline/mae": 0.442,
    "headline/rmse": 0.632,
    "headline/residual/median": 0.014,
    "headline/type/giants/mae": 0.430,
    "headline/type/subgiants/mae": 0.417,
    "headline/type/dwarfs/mae": 0.466,
    "headline/snr/4.5-5.5/r2": 0.60,  # of the figure whose SNR is the kit's
    "headline/snr/3.5-4.5/slope": 0.61,
    "headline/snr/6.5-8.5/r2": 0.73,  # between its points at SNR 6.3 and 7.9
    "eta/median/snr/8.5-12.5": 0.80 / 0.92,
    "eta/mmse": 0.711 / 0.775,
    "baseline/lightgbm/r2": 0.6142,
    "baseline/lightgbm/mae": 0.560,
    "baseline/lightgbm/rmse": 0.731,
    "baseline/lightgbm/type/giants/mae": 0.665,
    "baseline/lightgbm/type/subgiants/mae": 0.378,
    "baseline/lightgbm/type/dwarfs/mae": 0.589,
    "baseline/ridge/r2": 0.4957,
    "baseline/ridge/mae": 0.6619,
    "baseline/template/r2": 0.4150,
    "baseline/template/mae": 0.66,
    "validation/r2": 0.7182,
    "validation/mae_z": 0.3720,
    "validation/gap": 0.7182 - 0.7111,
    "ceiling/median/snr/4.5-5.5/r2": CEILING_AT_5,
    "eta/median/snr/4.5-5.5": 0.54 / CEILING_AT_5,
    "gap/median/snr/4.5-5.5/r2": CEILING_AT_5 - 0.54,
    "gap/median/snr/6.5-8.5/r2": 0.8742 - 0.71,
    "gap/median/snr/2.5-3.5/r2": 0.265 - 0.46,
    "gap/median/snr/12.5-18/r2": 0.98 - 0.91,
    "gain/lightgbm/r2": 0.711 - 0.614,
    "gain/lightgbm/relative": 0.711 / 0.614 - 1.0,
    "gain/ridge/r2": 0.7111 - 0.4957,
    "gain/template/r2": 0.7111 - 0.4150,
    "scaling/vit/n500000-1000000/r2_gain": 0.7111 - 0.7087,
    "scaling/vit/n100000-200000/r2_gain": 0.6733 - 0.5963,
    "scaling/lightgbm/n500000-1000000/r2_gain": 0.5709 - 0.5743,  # on one test set
    "scaling/vit/per_decade": 0.213,
    "scaling/lightgbm/per_decade": 0.097,
    "scaling/vit-lightgbm/per_decade_ratio": 2.2,
    "crossover/vit-lightgbm/log10_n": 4.78,  # of the differences -0.054 with 50k and 0.043 with 100k
    "labels/log_g/mean": 2.9975,
    "labels/log_g/std": 1.1683,
    "labels/log_g/test_std": 1.176,
    "labels_on_node/share": 0.802,
    "snr/max": 18.81,
    "snr_definition/ratio_column": 1.15,
    "snr_definition/ratio_max": 1.47,
    "test/sampling_error": 0.005,
    "shape/vit/patch=16+width=256+depth=4-patch=16+width=256+depth=6/noise1/n50000/r2_gain": 0.6015 - 0.5466,
    "attention/star/attention/ca_ii_over_na_i": 0.007 / 0.051,
}


def numbers() -> dict[str, float]:
    """Every address that the documents have a number for, and what these say of each other."""
    found = dict(SINGLE)
    for model, fixed in FIXED.items():
        base = "headline" if model == "vit" else f"baseline/{model}"
        found |= {f"{base}/snr_column/{name}/r2": r2 for name, r2 in zip(BINS, fixed, strict=True)}
        found |= {f"{base}/quantile/{k}/r2": r2 for k, r2 in enumerate(QUANTILES[model], start=1)}
    for n, row in SIZES.items():
        for model, r2 in zip(("vit", "lightgbm", "ridge"), row, strict=True):
            if r2 is not None:
                found[f"scaling/{model}/n{n}/r2"] = r2
    found |= {f"scaling/vit/n{n}/mae_z": mae for n, mae in MAE_Z.items()}
    return found | {address: value for address, value, _ in published_items()}


def published(source: str, **conditions: object) -> Evidence:
    """Evidence that holds exactly what the documents give."""
    content = {
        **{"schema": 1, "track": "trackA", "dependencies": {}},
        "conditions": {
            "scale": "paper", "noise": 1.0, "source": source, "model": "vit", "n_train": 1_000_000, **conditions
        },
        "values": {address: {"value": value} for address, value in numbers().items()},
    }  # fmt: skip
    return parse_evidence(content, "trackA", "published numbers")
