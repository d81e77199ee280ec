"""Arithmetic on the published numbers of the vision transformer: what they say of each other, without a run.

Values stand under `published/<subject>/`; each function gives those of one subject and says how they are made. Lines of
the fact sheet of Track A in brackets.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Final

import numpy as np

from repro.scores import published
from repro.scores import published_vit as p
from repro.scores.sensitivity import Item

Values = Mapping[str, float]


def published_items() -> Iterator[Item]:
    """Evidence values of all subjects under `published/`."""
    for subject, make in _SUBJECTS.items():
        for name, value in make().items():
            yield f"published/{subject}/{name}", float(value), {}


def parameters(patch: int, width: int, depth: int, ratio: int, pixels: int, stride: int | None = None) -> Values:
    """Parameters of the architecture by part, from its formula; `used` is without the pooler, which nothing reads."""
    tokens = (pixels - patch) // (stride or patch) + 1
    embed = width * (patch + 1) + width + width * (tokens + 1)  # convolution, CLS, positions
    attention, hidden = 4 * width * (width + 1), ratio * width
    layer = attention + hidden * (width + 1) + width * (hidden + 1) + 4 * width
    parts = {"embed": embed, "encoder": depth * layer, "norm": 2 * width, "head": width + 1}
    used = sum(parts.values())
    pooler = width * (width + 1)
    return {**parts, "pooler": pooler, "used": used, "total": used + pooler}


def _r2() -> Values:
    """How far the values given for one score lie apart [C1, C6, C18]; `first_1000`: less that of all 10 000."""
    return {
        "validation_less_test": p.R2_VALIDATION - p.R2_TEST,
        "epoch_128_less_92": p.R2_STATED - p.R2_EPOCH_92,
        "web_difference": p.WEB_R2 - p.R2_STATED,
        "test_less_validation_50k": p.VIT[50_000] - p.VALIDATED[50_000],
        "column_is_mae": max(abs(p.COLUMN[n] - p.VALIDATED_MAE[n]) for n in p.COLUMN),
        **{f"{model}_first_1000": first - every for model, (first, every) in p.FIRST_1000.items()},
    }


def _mae() -> Values:
    """Errors in dex and in units of the z-score [C2]."""
    return {
        "validation_dex": p.MAE["validation"] * p.LABEL_STD,
        "card_dex": p.MAE["card"] * p.LABEL_STD,
        "test_z": p.MAE_TEST / p.LABEL_STD,
    }


def _rmse() -> Values:
    return {"from_r2": math.sqrt(_ceiling()["variance_test"] * (1.0 - p.R2_TEST)), "z": p.RMSE_TEST / p.LABEL_STD}


def _steps() -> Values:
    """Updates per epoch of the best checkpoint, and the training spectra that these are, to within a batch [C13]."""
    per_epoch = p.BEST_STEP / p.BEST_EPOCHS
    return {"per_epoch": per_epoch, "n_train": per_epoch * p.BATCH, "of_1m": math.ceil(1_000_000 / p.BATCH)}


def _hours() -> Values:
    """Wall time by the stated rate of updates, of the best checkpoint and of the plan [L17]."""
    per_hour = 3600.0 * p.STEPS_A_SECOND
    return {"best": p.BEST_STEP / per_hour, "planned": p.EPOCHS * _steps()["per_epoch"] / per_hour}


def _throughput() -> Values:
    return {"spectra_a_second": p.STEPS_A_SECOND * p.BATCH}


def _eta() -> Values:
    """R2 over the ceiling: as stated, all stars over SNR 7.1; and at SNR 5 of either figure [R11].

    The ceiling at SNR 5 is linear in log SNR between magnitudes 22 and 21.5.
    """
    at_5 = ceiling_at(5.0)
    return {
        "mixed": p.R2_STATED / p.CEILING[21.5],
        "snr_5_quantile": _drawn("quantile", 5.0) / at_5,
        "snr_5_fixed": _drawn("fixed", 5.0) / at_5,
        "ceiling_5": at_5,
    }


def _gap() -> Values:
    """Ceiling minus the transformer at SNR 4.6 and 7.1: as stated, and at that SNR of either figure [C3, L26, L27].

    snr_of_0.68 is where the first figure has the 0.68 that the statement calls the ceiling's neighbour at SNR 4.6.
    """
    curve = published.README_CURVES
    return {
        "snr_4.6_stated": p.CEILING[22.0] - p.MAGNITUDE_ROWS[22][1],
        "snr_4.6_quantile": p.CEILING[22.0] - _drawn("quantile", 4.6),
        "snr_4.6_fixed": p.CEILING[22.0] - _drawn("fixed", 4.6),
        "snr_7.1_mixed": p.CEILING[21.5] - p.R2_STATED,
        "snr_7.1_fixed": p.CEILING[21.5] - _drawn("fixed", 7.0),
        "snr_5_fixed": ceiling_at(5.0) - _drawn("fixed", 5.0),
        "snr_5_quantile": ceiling_at(5.0) - _drawn("quantile", 5.0),
        "snr_20_fixed": ceiling_at(20.0) - _drawn("fixed", 20.0),
        "snr_of_0.68": float(np.interp(0.68, curve.r2["ViT"], curve.snr)),
    }


def _magnitude_rows() -> Values:
    """The per-magnitude table [C4]: rows outside the test set; share of its R2 below 0.99 that the first figure has."""
    low, high = p.TEST_SNR
    drawn = published.README_CURVES.r2["ViT"]
    below = [r2 for _, r2 in p.MAGNITUDE_ROWS.values() if r2 < 0.99]
    return {
        "outside": sum(not low <= snr <= high for snr, _ in p.MAGNITUDE_ROWS.values()),
        "shared": sum(r2 in drawn for r2 in below) / len(below),
    }


def _slope() -> Values:
    """R2 a decade from 50 000 to 1 000 000; LightGBM on mixed test sets as drawn, and on one of 500 stars [L23, C5].

    per_doubling: with the transformer of epoch 92 and LightGBM on 500 stars, the slopes "per log unit" of an older
    sentence.
    """
    decades = math.log10(1_000_000 / 50_000)
    vit = (p.VIT[1_000_000] - p.VIT[50_000]) / decades
    mixed, same = ((last - p.TREES[50_000]) / decades for last in (p.LIGHTGBM, p.TREES[1_000_000]))
    return {
        "vit": vit,
        "lightgbm": mixed,
        "ratio": vit / mixed,
        "lightgbm_same_stars": same,
        "ratio_same_stars": vit / same,
        "vit_per_doubling": (p.R2_EPOCH_92 - p.VIT[50_000]) / math.log2(20.0),
        "lightgbm_per_doubling": (p.TREES[1_000_000] - p.TREES[50_000]) / math.log2(20.0),
    }


def _gain() -> Values:
    """Differences and ratios of stated R2 [L18 to L21]."""
    found: dict[str, float] = {}
    for model, other in (("lightgbm", 0.614), ("ridge", p.RIDGE), ("template", p.TEMPLATE)):
        found |= {model: p.R2_STATED - other, f"{model}_relative": p.R2_STATED / other - 1.0}
    return found | {
        "ridge_relative_hub": p.R2_EPOCH_92 / p.RIDGE_HUB - 1.0,
        "template_relative_hub": p.R2_EPOCH_92 / p.TEMPLATE - 1.0,
        "lightgbm_500k_1m_mixed": p.LIGHTGBM - p.TREES[500_000],
        "lightgbm_500k_1m_same": p.TREES[1_000_000] - p.TREES[500_000],
        "vit_500k_1m": p.VIT[1_000_000] - p.VIT[500_000],
    }


def _sampling_error() -> Values:
    """Of R2 on n stars of a bivariate normal law, 2 R (1 - R^2) / sqrt(n) (Olkin and Finn 1995, Psych. Bull. 118, 155).

    At the published scores of LightGBM on 500 stars and of the transformer on 1000 and 10 000.
    """
    stars = ((500, p.TREES[1_000_000]), (1000, p.R2_STATED), (10_000, p.R2_STATED))
    return {f"n{n}": 2.0 * math.sqrt(r2) * (1.0 - r2) / math.sqrt(n) for n, r2 in stars}


def _crossover() -> Values:
    """Transformer minus LightGBM with 50 000 spectra: of the scaling runs, and of the mean of the sweep [C6, L22]."""
    return {"scaling_50k": p.VIT[50_000] - p.TREES[50_000], "sweep_50k": p.SWEEP_50K - p.TREES[50_000]}


def _ceiling() -> Values:
    """Label variances and what becomes of the ceiling with that of the test set [5.5]; 5D against 3D [C22]; [C33].

    sigma_<magnitude>_<3D|5D> [dex] is sqrt((1 - R2max) V) [L28].
    """
    variance = p.RMSE_TEST**2 / (1.0 - p.R2_TEST)
    sigma = {
        f"sigma_{magnitude:g}_{dimension}": math.sqrt((1.0 - table[magnitude]) * p.VARIANCE_NODES)
        for dimension, table in (("3D", p.CEILING_3D), ("5D", p.CEILING))
        for magnitude in (21.5, 22.5)
    }
    return {
        "variance_nodes": p.VARIANCE_NODES,
        "variance_test": variance,
        "21.5_test_variance": 1.0 - (1.0 - p.CEILING[21.5]) * p.VARIANCE_NODES / variance,
        "3D_less_5D_21.5": p.CEILING_3D[21.5] - p.CEILING[21.5],
        "3D_less_5D_22.5_relative": 1.0 - p.CEILING[22.5] / p.CEILING_3D[22.5],
        "exposures_in_snr": math.sqrt(12 / 4),  # 12 exposures of the test stars over 4 of the grids [C23]
        **sigma,
    }


def _grid() -> Values:
    """Nodes of the appendix's axes and of the data's, of [M/H] and share of labels on nodes [C25, C9, C11]."""
    return {
        "appendix": 10 * 9 * 14 * 3 * 3,
        "product": 10 * 9 * 14 * 6 * 4,
        "metallicities": round((0.75 + 2.5) / 0.25) + 1,
        "labels_on_node": 1.0 - 1.0 / 5.0,
    }


def _wavelength() -> Values:
    first, last, pixels = p.WAVE
    return {"step": (last - first) / (pixels - 1)}


def _snr_definition() -> Values:
    """Extremes of the column over those of the recomputed SNR [C21]."""
    return {name: p.TEST_SNR[k] / p.TEST_SNR_RECOMPUTED[k] for k, name in enumerate(("min", "max"))}


def _cosine() -> Values:
    """Learning rate at epoch 128, the schedule ending at 100 (the code's default) or at 200 as stated [2.5]."""

    def rate(end: int) -> float:
        return p.LEAST_RATE + 0.5 * (p.RATE - p.LEAST_RATE) * (1.0 + math.cos(math.pi * p.BEST / end))

    return {"rate_128_t100": rate(100), "rate_128_t200": rate(200)}


def _label_std() -> Values:
    """[dex] of log g from 1 to 5: Beta(0.7, 0.7), uniform, and the training set's [C10]."""
    beta = math.sqrt(16.0 * 0.7 * 0.7 / (1.4**2 * 2.4))
    return {"beta": beta, "uniform": 4.0 / math.sqrt(12.0), "stated": p.LABEL_STD}


def _parameters() -> Values:
    """Of the published architecture by its formula, and the web page's over them [C17, C18]."""
    found = dict(parameters(**p.ARCHITECTURE))
    return found | {"web_ratio": p.WEB_PARAMETERS / found["total"]}


def _sweep() -> Values:
    """Entries that repeat others: the epoch 9 of another run [C28]; patch 32 and width 128, mean and spread [C29]."""
    return {
        "epoch_9": p.SWEEP_EPOCH_9[0] - p.SWEEP_EPOCH_9[1],
        "patch_32_less_width_128": max(abs(a - b) for a, b in zip(p.PATCH_32, p.WIDTH_128, strict=True)),
    }


def _tokenizer() -> Values:
    """Spread of the first weights of C1D, uniform within +-0.25, over that of SW [2.4]."""
    return {"first_weights": p.CONV_BOUND / math.sqrt(3.0) / p.LINEAR_STD}


def _attention() -> Values:
    """Least and largest sum of a row of the web page's attention weights, which are shares of 1."""
    low, high = p.WEB_ROW_SUMS
    return {"row_sum_min": low, "row_sum_max": high}


def ceiling_at(snr: float) -> float:
    """The published 5D median at an SNR, linear in log SNR between its magnitudes."""
    order = np.argsort(published.SNR)
    x, y = np.log(np.array(published.SNR)[order]), np.array(published.PAPER_5D.r2max_median)[order]
    return float(np.interp(math.log(snr), x, y))


def _drawn(figure: str, snr: float) -> float:
    """R2 of the transformer, linear in the SNR of the axis of the first (`quantile`) or second (`fixed`) figure."""
    curve = published.README_CURVES if figure == "quantile" else published.PAPER_CURVES
    return float(np.interp(snr, curve.snr, curve.r2["ViT"]))


_SUBJECTS: Final[Mapping[str, Callable[[], Values]]] = {
    make.__name__.removeprefix("_"): make
    for make in (
        *(_r2, _mae, _rmse, _steps, _hours, _throughput, _eta, _gap, _magnitude_rows, _slope, _gain, _sampling_error),
        *(_crossover, _ceiling, _grid, _wavelength, _snr_definition, _cosine, _label_std, _parameters, _sweep),
        *(_tokenizer, _attention),
    )
}
