"""Published R2 of log g of single experiments, which figures show beside the kit's own.

All from github.com/ViskaWei/Physics_Informed_AI, folder logg; one run each, on test sets of 500 to 1000 stars, with
settings chosen on the test set. Z32 and Z100: 32 000 and 100 000 spectra of an older set, flux as it is; M: a set of
one million, standardised flux. Noise levels and penalties are those of the sources.
"""

from typing import Final

Curve = tuple[tuple[float, float], ...]  # (x, R2)

WHERE: Final = "published, other data"

# ridge/exp/exp_ridge_alpha_sweep_20251127.md (Z32): best penalty and its R2 by noise level
RIDGE_BEST: Final = {
    0.0: (1e-3, 0.9990),
    0.1: (1.0, 0.9090),
    0.2: (10.0, 0.8264),
    0.5: (50.0, 0.6550),
    1.0: (200.0, 0.4580),
    2.0: (1000.0, 0.2210),
}
# the same on Z100
RIDGE_BEST_100K: Final = {
    0.0: (1e-3, 0.9994),
    0.1: (1.0, 0.9174),
    0.2: (10.0, 0.8413),
    0.5: (100.0, 0.6674),
    1.0: (100.0, 0.4687),
    2.0: (1000.0, 0.2536),
}
# scaling/exp/exp_scaling_ridge_alpha_extended (M, level 1): best penalty of standardised flux by training size
RIDGE_BEST_STANDARDISED: Final = {100_000: (10**4.5, 0.4856), 1_000_000: (1e5, 0.5017)}
OLS: Final = {0.0: 0.9694, 0.1: 0.9007, 0.2: 0.8108, 0.5: 0.6075, 1.0: 0.3851, 2.0: 0.1312}

# lightgbm/exp (Z32): 63 leaves, rate 0.05, at most 1000 trees
LIGHTGBM: Final = {0.0: 0.9981, 0.1: 0.9616, 0.2: 0.9045, 0.5: 0.7393, 1.0: 0.5361, 2.0: 0.2679}
LIGHTGBM_TREES: Final = {0.0: 1000, 0.1: 822, 0.2: 993, 0.5: 846, 1.0: 603, 2.0: 209}  # where they stopped

# README and its sources: R2 at level 1, by model and training size
LEVEL_1: Final[dict[str, Curve]] = {
    "ridge": ((32_000, 0.458), (100_000, 0.4687), (1_000_000, 0.4957)),
    "lightgbm": ((32_000, 0.536), (100_000, 0.558), (1_000_000, 0.614)),
    "mlp": ((32_000, 0.4874), (100_000, 0.5505)),
    "residual_mlp": ((32_000, 0.4985), (100_000, 0.5008)),
    "cnn": ((32_000, 0.0158), (100_000, 0.4122)),
}
# scaling/exp/exp_scaling_ml_ceiling (M, level 1, 500 test stars): R2 against training size
SCALING: Final[dict[str, Curve]] = {
    "ridge": (
        *((10_000, 0.3807), (20_000, 0.3802), (50_000, 0.4419), (100_000, 0.4753), (200_000, 0.4738)),
        *((500_000, 0.4898), (1_000_000, 0.4997)),
    ),
    "lightgbm": (
        *((10_000, 0.4127), (20_000, 0.4593), (50_000, 0.4879), (100_000, 0.5533), (200_000, 0.5466)),
        *((500_000, 0.5743), (1_000_000, 0.5709)),
    ),
}

# cnn/exp/exp_cnn_dilated_kernel_sweep_20251201.md (level 0.1, 16 000 spectra, about 400 steps): by learning rate
CNN_LEVEL: Final = 0.1
CNN: Final[dict[float, Curve]] = {
    0.001: ((7, 0.0114), (9, 0.0363), (21, 0.3912), (45, 0.0817), (63, 0.0203)),
    0.003: ((7, 0.6026), (9, 0.6575), (21, 0.0348), (45, 0.0079), (63, -0.0023)),
}

# pca/exp (Z32, level 0, tuned) and scaling/exp/exp_scaling_pca_pls (M, level 1, alpha 1e5): R2 against components
PCA: Final[dict[float, Curve]] = {
    0.0: ((5, 0.2305), (10, 0.6668), (20, 0.8655), (50, 0.9754), (100, 0.9936), (200, 0.9985), (500, 0.9995)),
    1.0: ((100, 0.4893), (200, 0.4962), (500, 0.4985), (1000, 0.4948)),
}
PLS: Final[dict[float, Curve]] = {1.0: ((100, 0.5059), (200, 0.5059), (500, 0.5059), (1000, 0.5056))}

# noise/exp: ridge on K pixels, by (noise level of the selecting ridge, noise level of training and test)
_KS: Final = (10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0)
TOPK: Final[dict[tuple[str, float], Curve]] = {
    key: tuple(zip(_KS, values, strict=True))
    for key, values in {
        ("0", 0.0): (0.8816, 0.9583, 0.9900, 0.9956, 0.9977, 0.9987, 0.9988, 0.9990),
        ("1", 0.0): (0.6149, 0.9032, 0.9848, 0.9948, 0.9971, 0.9983, 0.9986, 0.9989),
        ("0", 1.0): (0.1069, 0.1735, 0.1849, 0.2598, 0.3082, 0.3790, 0.4290, 0.4426),
        ("1", 1.0): (0.0224, 0.1130, 0.2329, 0.3212, 0.4003, 0.4457, 0.4752, 0.4901),
    }.items()
}
TOPK_LIGHTGBM: Final[dict[str, Curve]] = {  # level 1, by what chooses the pixels
    "gain": ((50, 0.4552), (100, 0.5100), (200, 0.5547), (500, 0.5658), (1000, 0.5476), (2000, 0.5551)),
    "ridge": ((50, 0.3944), (100, 0.4734), (200, 0.5349), (500, 0.5358), (1000, 0.5323), (2000, 0.5497)),
}
# trained without noise at alpha 100, tested at level 1: full spectrum last
TOPK_CLEAN: Final[Curve] = ((50, 0.2093), (100, 0.2614), (200, 0.2515), (500, 0.3285), (1000, 0.3398), (4096, -0.241))

# scaling/exp/exp_scaling_whitening_snr_20251222.md (M, level 1): R2 by input
SCALER: Final[dict[str, dict[str, float]]] = {
    "ridge": {
        "raw": 0.5077, "standardised": 0.5077, "centred": 0.5077, "scaled": 0.5077, "snr": 0.5081,
        "snr_centred": 0.5222,
    },
    "lightgbm": {
        "raw": 0.5533, "standardised": 0.1966, "centred": 0.2860, "scaled": 0.0137, "snr": 0.0074,
        "snr_centred": 0.0120,
    },
}  # fmt: skip

# R2 from the error array alone: noise/exp (Z32) and moe/exp/exp_logg_err_base_01 (M, 10 000 spectra)
ERROR_ONLY: Final[dict[str, Curve]] = {
    "32 000": ((1e-3, 0.9103), (1e-2, 0.7576), (1e-1, 0.4023), (1.0, 0.0917), (100.0, -0.0009)),
    "10 000": ((1e-3, 0.9896), (1e-2, 0.9747), (1e-1, 0.9245), (1.0, 0.7884), (10.0, 0.4899), (100.0, 0.1287)),
}
ERROR_ONLY_LIGHTGBM: Final = 0.3920
ERROR_ONLY_OLS: Final = 0.0241

# NN/exp/exp_nn_comprehensive_analysis_20251130.md (level 1): R2 of residual less that of direct network, by pair
RESIDUAL_GAIN: Final = {"32k, best of each": 0.0111, "32k, like for like": -0.0018, "100k": -0.0497}

# validation-size sweep (Z32, level 1, 512 test stars): R2 against the number of validation stars
VALIDATION_SIZE: Final[Curve] = ((128, 0.4643), (512, 0.4778), (4096, 0.4602), (10_000, 0.4789))
