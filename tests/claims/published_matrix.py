"""Numbers that the documents of tracks E and F give, typed here a second time and laid out as evidence would be."""

from repro.claims.claim import Claim, Track
from repro.claims.evidence import Evidence, parse_evidence
from repro.claims.located import Printed

LEVELS = ("0", "0.1", "0.2", "0.5", "1", "2")

# R2 by model and number of training spectra, over the noise levels (None: not stated), and the alpha of Ridge
BEST = {
    ("ridge", 32000): (0.9990, 0.9090, 0.8264, 0.6550, 0.4580, 0.2210),
    ("ridge", 100000): (0.9994, 0.9174, 0.8413, 0.6674, 0.4687, 0.2536),
    ("ridge", 1000000): (None, None, None, None, 0.4957, None),
    ("lightgbm", 32000): (0.9981, 0.9616, 0.9045, 0.7393, 0.5361, 0.2679),
    ("lightgbm", 100000): (0.9991, 0.9720, 0.9318, 0.7573, 0.5582, 0.3038),
    ("lightgbm", 1000000): (None, None, None, None, 0.614, None),
    ("mlp", 32000): (0.7951, 0.7804, None, None, 0.4874, None),
    ("mlp", 100000): (None, None, None, None, 0.5505, None),
    ("residual_mlp", 32000): (None, None, None, None, 0.4985, None),
    ("residual_mlp", 100000): (None, None, None, None, 0.5008, None),
    ("oracle_moe", 1000000): (None, None, None, None, 0.6249, None),
}
ALPHA = {
    32000: (1e-3, 1, 10, 50, 200, 1000),
    100000: (1e-3, 1, 10, 100, 100, 1000),
    1000000: (None,) * 4 + (1000, None),
}
_FAMILY = {"ridge": "alpha/ridge/best", "lightgbm": "trees/lightgbm/best", "mlp": "networks/mlp"}

_RESIDUAL = "networks/residual_mlp/ridge=in_sample/noise1"
_CNN = "cnn/cnn/kernel={}+rate={}+steps=400+pool=average/noise0.1/n16000"
_CLEAN = "topk_clean/ridge/k=1000/noise0/test1/n32000"
_CROSS = "cross_noise/ridge/choice={}/noise{}/test1/n32000"
_TREES = "trees/lightgbm/rate={}+leaves=31/noise{}"
_FIXED = "trees_fixed/lightgbm/rate=0.1+leaves=31+trees=100/noise1/n32000"
SINGLE = {
    "alpha/ridge/alpha=0.001/noise2/n32000/r2": 0.1312,
    "alpha/ridge/alpha=1000/noise1/n32000/gain_over_best": 0.3684 - 0.4580,
    "leaderboard/ols/noise0/n32000/r2": 0.9694,
    "leaderboard/ols/noise1/n32000/r2": 0.3851,
    "alpha_standardised/ridge/best/noise1/n100000/r2": 0.4856,
    "alpha_standardised/ridge/best/noise1/n1000000/r2": 0.4957,
    "alpha_standardised/ridge/alpha=3162.28/noise1/n1000000/r2": 0.4997,
    "alpha_standardised/ridge/alpha=3162.28/noise1/n100000/gain_over_best": 0.4735 - 0.4856,
    "alpha_standardised/ridge/alpha=3162.28/noise1/n1000000/gain_over_best": 0.4997 - 0.5017,
    "alpha_standardised/ridge/alpha=10000/noise1/n100000/gain_over_best": 0.4792 - 0.4856,
    f"{_RESIDUAL}/n32000/r2": 0.4985,
    f"{_RESIDUAL}/n100000/r2": 0.5008,
    f"{_RESIDUAL}/n32000/gain_over_direct": 0.4985 - 0.4874,
    f"{_RESIDUAL}/n100000/gain_over_direct": 0.5008 - 0.5505,
    f"{_RESIDUAL}/n32000/gain_over_ridge": 0.4985 - 0.4580,
    f"{_CNN.format(9, 0.003)}/r2": 0.6575,
    f"{_CNN.format(63, 0.003)}/gain_over_kernel=9": -0.0023 - 0.6575,
    f"{_CNN.format(21, 0.001)}/gain_over_kernel=9": 0.3912 - 0.0363,
    f"{_CNN.format(9, 0.001)}/gain_over_rate=0.003": 0.0363 - 0.6575,
    "cnn/cnn/pool=average/best/noise1/n32000/r2": 0.0158,
    "pca/pca_ridge/best/noise1/n1000000/gain_over_ridge": 0.4985 - 0.5077,
    "pls/pls/k=200/noise1/n1000000/gain_over_pca_fixed": 0.5059 - 0.4962,
    "pca/pca_ridge/k=100/noise0/n32000/gain_over_k=50": 0.9936 - 0.9754,
    "pca/pca_ridge/k=10/noise0/n32000/variance": 0.99,
    f"{_CROSS.format('validation', 0.5)}/gain_over_matched": 0.3231 - 0.4650,
    f"{_CROSS.format('validation', 1.2)}/gain_over_matched": 0.4521 - 0.4650,
    f"{_CROSS.format(100, 1.2)}/gain_over_matched": 0.4710 - 0.4507,
    f"{_CROSS.format(100, 1.2)}/r2": 0.4710,
    "topk/ridge/k=1000+selector=1/noise1/n32000/gain_over_full": 0.4752 - 0.4580,
    "topk/ridge/k=1000+selector=1/noise1/n32000/gain_over_k=200": 0.4752 - 0.4003,
    f"{_CLEAN}/gain_over_all": 0.3398 + 0.241,
    f"{_CLEAN}/gain_over_matched": 0.3398 - 0.4580,
    "topk/lightgbm/k=500+selector=gain/noise1/n32000/gain_over_full": 0.0415,
    "topk/lightgbm/k=1000+selector=gain/noise1/n32000/gain_over_full": 0.5476 - 0.5243,
    "topk/lightgbm/k=50+selector=gain/noise1/n32000/gain_over_ridge": 0.3931 - 0.2296,
    "scaler/ridge/input=standardised/noise1/n32000/gain_over_raw": 0.0,
    "scaler/ridge/input=scaled+restandardised=yes/noise1/n32000/gain_over_raw": 0.0,
    "scaler/lightgbm/input=standardised+validation=raw/noise1/n32000/gain_over_raw": 0.1966 - 0.5533,
    "validation_size/mlp/validation=512/noise1/n32000/gain_over_validation=128": 0.4778 - 0.4643,
    f"{_TREES.format(0.05, 0.5)}/n100000/trees": 3855,
    f"{_TREES.format(0.05, 1)}/n32000/trees": 603,
    f"{_TREES.format(0.1, 0)}/n32000/gain_over_rate=0.05": 0.9967 - 0.9962,
    f"{_TREES.format(0.1, 1)}/n32000/gain_over_rate=0.05": 0.5508 - 0.5582,
    f"{_TREES.format(0.1, 2)}/n32000/gain_over_rate=0.05": 0.2953 - 0.3038,
    f"{_FIXED}/gain_over_ridge": 0.4505 - 0.4580,
    f"{_FIXED}/gain_over_rate=0.05": 0.4505 - 0.3938,
    "trees/lightgbm/best/noise0.4/n32000/r2": 0.7835,
    "scaling/ridge/noise1/n100000-1000000/r2_gain": 0.0244,
    "scaling/lightgbm/noise1/n100000-1000000/r2_gain": 0.0176,
    "leaderboard/template/noise1/n0/r2": 0.40,
    "stability/ridge/noise0/n32000/spearman": 0.0077,
    # the error array alone
    **{
        f"error_only/ridge/input=error+alpha={alpha}/noise0/n32000/r2": r2
        for alpha, r2 in (("0.001", 0.9103), ("0.01", 0.7576), ("0.1", 0.4023), ("1", 0.0917), ("100", -0.0009))
    },
    "error_only/ridge/input=error/best/noise0/n32000/r2": 0.9103,
    "error_only/lightgbm/input=error/noise0/n100000/r2": 0.3920,
    "error_only/ridge/input=standardised+alpha=0.001/noise0/n10000/r2": 0.9896,
    "error_only/ridge/input=standardised+alpha=1/noise0/n10000/r2": 0.7884,
    "error_only/ols/input=error+cut=0/noise0/n10000/r2": 0.0241,
    "error_only/ridge/input=shuffled/best/noise0/n10000/r2": -0.98,
    "error_only/ridge/input=statistics/best/noise0/n10000/r2": 0.0419,
}


def numbers() -> dict[str, float]:
    """Every address that the documents have a number for."""
    found: dict[str, float] = dict(SINGLE)
    for (model, n), row in BEST.items():
        for level, r2 in zip(LEVELS, row, strict=True):
            if r2 is not None:
                found[f"leaderboard/{model}/noise{level}/n{n}/r2"] = r2
                if model in _FAMILY:
                    found[f"{_FAMILY[model]}/noise{level}/n{n}/r2"] = r2
    for model in ("ridge", "lightgbm"):
        small, large = BEST[model, 32000], BEST[model, 100000]
        gains = [b - a for a, b in zip(small, large, strict=True)]
        relative = [b / a - 1 for a, b in zip(small, large, strict=True)]
        for level, gain, share in zip(LEVELS, gains, relative, strict=True):
            found[f"scaling/{model}/noise{level}/n32000-100000/r2_gain"] = gain
            found[f"scaling/{model}/noise{level}/n32000-100000/r2_relative_gain"] = share
        found[f"scaling/{model}/levels/n32000-100000/r2_gain_min"] = min(gains)
        found[f"scaling/{model}/levels/n32000-100000/r2_relative_gain"] = sum(relative) / len(relative)
    found["compare/lightgbm-ridge/noise1/n32000/r2_gain"] = 0.5361 - 0.4580
    return found | _alphas()


def _alphas() -> dict[str, float]:
    found = {}
    for n, row in ALPHA.items():
        for level, alpha in zip(LEVELS, row, strict=True):
            if alpha:
                found[f"alpha/ridge/best/noise{level}/n{n}/alpha"] = alpha
                found[f"alpha/ridge/best/noise{level}/n{n}/log10_alpha"] = _LOG[alpha]
    return found


_LOG = {1e-3: -3.0, 1: 0.0, 10: 1.0, 50: 1.699, 100: 2.0, 200: 2.301, 1000: 3.0}


def published(track: str, source: str, **conditions: float) -> Evidence:
    """Evidence that holds exactly what the documents give."""
    content = {
        **{"schema": 1, "track": track, "dependencies": {}},
        "conditions": {"scale": "paper", "noise": 1.0, "source": source, **conditions},
        "values": {address: {"value": value} for address, value in numbers().items()},
    }
    return parse_evidence(content, track, "published numbers")


def answered(track: Track, evidence: Evidence) -> list[Claim]:
    """The claims that the numbers can judge."""
    return [c for c in track.claims if c.evidence and set(c.evidence.addresses) <= set(evidence.values)]


def printed(claim: Claim) -> list[float]:
    """The numbers that the sources of a claim give."""
    groups = [s.value if isinstance(s.value, tuple) else (s.value,) for s in claim.sources]
    return [value.value for group in groups for value in group if isinstance(value, Printed)]
