"""Tables of arms as the experiments of Track F leave them, on made-up test stars whose predictions have a wanted R2."""

import json
import math
import zlib
from dataclasses import replace
from functools import cache

import numpy as np

from repro.bounds.posterior.table import PosteriorTable
from repro.experiments.table import ArmTable, joined
from repro.labels import LABELS

LEVELS = (0.0, 0.1, 0.2, 0.5, 1.0, 2.0)
SIZES = (1000, 2000, 8000)
SEEDS = (0, 1, 2)
REPEATED = (0.1, 1.0)  # levels at which the largest size has all seeds
ALPHAS = tuple(float(f"{a:.3g}") for a in 10.0 ** np.linspace(-3, 6, 10)) + (200.0,)
CLOSED = ("ols", "ridge", "pca_ridge", "pls")  # without noise these give every seed the same
RANDOM = ("random", "shuffled", "permuted", "smoothed")  # but for these settings
SPREAD = 0.002  # of the R2 of runs with other seeds
INPUTS = ("raw", "standardised", "centred", "scaled", "snr", "snr_centred")

# R2 of a model at noise levels 0, 1 with many spectra, and how much of 1 - R2 is lost a decade of fewer ones
_SKILL = {
    "ridge": (0.995, 0.46, 0.10),
    "ols": (0.99, 0.30, 0.30),
    "pca_ridge": (0.99, 0.455, 0.10),
    "pls": (0.99, 0.458, 0.10),
    "lightgbm": (0.99, 0.54, 0.20),
    "mlp": (0.97, 0.50, 0.15),
    "residual_mlp": (0.99, 0.52, 0.15),
    "cnn": (0.75, 0.25, 0.20),
    "template": (0.999, 0.60, 0.0),
}


def skill(model, level, n, sizes=SIZES):
    """R2 that a model is given at a noise level and size."""
    clean, noisy, loss = _SKILL[model]
    t = math.sqrt(min(level, 1.0))
    r2 = 1.0 - (1.0 - clean) ** (1.0 - t) * (1.0 - noisy) ** t
    r2 /= max(level, 1.0)
    return r2 if n == 0 else r2 - (1.0 - r2) * loss * math.log10(max(sizes) / n)


class Maker:
    """Collects arms; the predictions of all share most of their error, as those of real models do."""

    def __init__(self, stars=60, seed=0, sizes=SIZES, levels=LEVELS, seeds=SEEDS):
        rng = np.random.default_rng(seed)
        self.sizes, self.levels, self.seeds = sizes, levels, seeds
        low, high = (3750.0, 1.0, -2.5, -0.25, -0.75), (6000.0, 5.0, 0.75, 0.5, 0.5)
        self.labels = rng.uniform(low, high, size=(stars, 5))
        self.mag = rng.uniform(20.5, 22.5, stars)
        self.snr = 10.0 * 10.0 ** (-0.4 * (self.mag - 21.0))
        self.common = rng.standard_normal(stars)
        self.rows = []

    @property
    def truth(self):
        return self.labels[:, LABELS.index("log_g")]

    def predict(self, r2, key):
        """Predictions of about a wanted R2, negative ones included."""
        rng = np.random.default_rng(zlib.crc32(repr(key).encode()))
        d, sd = self.truth - self.truth.mean(), self.truth.std()
        error = math.sqrt(0.9) * self.common + math.sqrt(0.1) * rng.standard_normal(len(d))
        w = max(r2, 0.0)
        size = math.sqrt(w * (1.0 - w) if r2 >= 0 else -r2)
        return self.truth.mean() + w * d + size * sd * error

    def add(self, experiment, model, setting, level, n, r2, *, test=None, seeds=None, **facts):
        """One arm a seed; validation R2 is the wanted one, so that it leads to the best setting."""
        for seed in self.seeds if seeds is None else seeds:
            fixed = model in CLOSED and not level and not any(word in setting for word in RANDOM)
            key = (experiment, model, setting, level, test, n, 0 if fixed else seed)
            shift = 0.0 if fixed or not n else SPREAD * (seed - 1)
            own = r2 + shift
            values = self.predict(min(own, 0.9999), key)
            self.rows.append((experiment, model, setting, level, level if test is None else test, n, seed, values, own,
                              {name: value + seed for name, value in facts.items()}))  # fmt: skip

    def table(self, **conditions):
        """The table of the arms added so far; the next table starts empty."""
        columns = list(zip(*self.rows, strict=True))
        self.rows = []
        text = (tuple(c) for c in columns[:3])
        return ArmTable(
            *text,
            facts=tuple(json.dumps(f, sort_keys=True) for f in columns[9]),
            train_noise=np.array(columns[3], dtype=float),
            test_noise=np.array(columns[4], dtype=float),
            n_train=np.array(columns[5], dtype=np.int64),
            seeds=np.array(columns[6], dtype=np.int64),
            validation_r2=np.array(columns[8], dtype=float),
            predictions=np.array(columns[7], dtype=np.float32),
            stars=np.arange(len(self.truth)),
            labels=self.labels,
            mag=self.mag,
            snr=self.snr,
            conditions={"noise": 1.0, "seed": 0, **conditions},
        )

    def cells(self, levels=None, sizes=None):
        """(level, size, seeds) of the matrix: the largest size has one seed except at the repeated levels."""
        for level in levels or self.levels:
            for n in sizes or self.sizes:
                once = n == max(self.sizes) and level not in REPEATED
                yield level, n, self.seeds[:1] if once else self.seeds


def alpha_penalty(alpha, level):
    """What an alpha other than the best one of a level costs in R2."""
    best = {0.0: -3.0, 0.1: 0.0, 0.2: 1.0, 0.5: 1.7, 1.0: 2.0}.get(level, 3.0)
    return 0.01 * (math.log10(alpha) - best) ** 2


def linear(maker):
    """Arms of family `linear`."""
    _ridge_paths(maker)
    _least_squares(maker)
    _components(maker)
    _pixels(maker)
    _cross_noise(maker)
    _scaled_inputs(maker)
    _error_only(maker)
    return maker.table(family="linear")


def _ridge_paths(maker):
    for level, n, seeds in maker.cells():
        best = skill("ridge", level, n, maker.sizes)
        for alpha in ALPHAS:
            r2 = best - alpha_penalty(alpha, level)
            maker.add("alpha", "ridge", f"alpha={alpha:g}", level, n, r2, seeds=seeds)
            if level == 1.0:
                maker.add("alpha_standardised", "ridge", f"alpha={alpha * 100:g}", level, n, r2, seeds=seeds)


def _least_squares(maker):
    top = max(maker.sizes)
    for level in (0.0, 0.1, 1.0):
        r2 = skill("ols", level, top, maker.sizes)
        maker.add("ols", "ols", "cut=0", level, top, r2, rank=4096)
        maker.add("ols_cut", "ols", "cut=0", level, top, r2, rank=4096)
        maker.add("ols_cut", "ols", "cut=float32", level, top, r2 - 0.02, rank=900)


def _components(maker):
    top = max(maker.sizes)
    for level in (0.0, 1.0):
        for k in (10, 50, 200):
            for model, experiment in (("pca_ridge", "pca"), ("pls", "pls")):
                r2 = skill(model, level, top, maker.sizes) - (0.3 if k == 10 else 1.0 / k**1.5)
                maker.add(experiment, model, f"k={k}", level, top, r2, variance=0.1 * k**0.4)
            if level == 1.0:
                maker.add("pca_fixed", "pca_ridge", f"k={k}", level, top, 0.4 - 1.0 / k, variance=0.1)


def _pixels(maker):
    top = max(maker.sizes)
    for level in (0.0, 1.0):
        for k in (50, 200, 1000):
            for selector, loss in (("0", 20.0), ("1", 10.0), ("random", 40.0)):
                r2 = skill("ridge", level, top, maker.sizes) - min(loss / k, 0.4)
                maker.add("topk", "ridge", f"k={k}+selector={selector}", level, top, r2, alpha=100.0)
    for k, r2 in ((1000, 0.33), (4096, -0.24)):
        maker.add("topk_clean", "ridge", f"k={k}", 0.0, top, r2, test=1.0, seeds=(0,))


def _cross_noise(maker):
    top = max(maker.sizes)
    for train in (*maker.levels, 1.2):
        for test in maker.levels:
            r2 = skill("ridge", test, top, maker.sizes) - (train - test) ** 2 * (2.0 if test > train else 0.2)
            for choice, loss in (("validation", 0.0), ("100", 0.02)):
                maker.add("cross_noise", "ridge", f"choice={choice}", train, top, r2 - loss, test=test)


def _scaled_inputs(maker):
    top = max(maker.sizes)
    r2 = skill("ridge", 1.0, top, maker.sizes)
    for name in INPUTS:
        maker.add("scaler", "ridge", f"input={name}", 1.0, top, r2 - 0.001 * name.startswith("snr"))
        maker.add("scaler", "ridge", f"input={name}+restandardised=yes", 1.0, top, r2 - 0.01)


def _error_only(maker):
    inputs = {
        "error": 0.95,
        "shuffled": 0.02,
        "smoothed": 0.4,
        "statistics": 0.5,
        "permuted": -0.1,
        "standardised": 0.95,
    }
    for n in (min(maker.sizes), max(maker.sizes)):
        for name, r2 in inputs.items():
            for alpha in (1e-6, 1e-3, 1.0, 100.0):
                loss = 0.03 * math.log10(alpha / 1e-3) ** 2
                maker.add("error_only", "ridge", f"input={name}+alpha={alpha:g}", 0.0, n, r2 - loss)
        maker.add("error_only", "ols", "input=error+cut=0", 0.0, n, 0.9)
        maker.add("error_only", "ols", "input=error+cut=float32", 0.0, n, 0.97)


def trees(maker):
    """Arms of family `trees`."""
    top, middle, small = max(maker.sizes), maker.sizes[len(maker.sizes) // 2], min(maker.sizes)
    for level, n, seeds in maker.cells():
        for rate in (0.05, 0.1):
            r2 = skill("lightgbm", level, n, maker.sizes) - 0.005 * (rate == 0.1)
            setting = f"rate={rate:g}+leaves=31"
            maker.add("trees", "lightgbm", setting, level, n, r2, seeds=seeds, trees=300 - 1000 * rate)
            for count in (50, 100):
                cut = r2 - 0.1 * 50 / count
                maker.add("trees_fixed", "lightgbm", f"{setting}+trees={count}", level, n, cut, seeds=seeds)
    best = skill("lightgbm", 1.0, middle, maker.sizes)
    for name in INPUTS:
        for validation in ("transformed", "raw"):
            broken = validation == "raw" and name != "raw"
            r2 = best - (0.4 if broken else 0.0) - 0.01 * name.startswith("snr")
            setting = f"input={name}+validation={validation}"
            maker.add("scaler", "lightgbm", setting, 1.0, middle, r2, trees=3 if broken else 250)
    for level in (0.0, 1.0):
        for k in (50, 200, 1000):
            for selector in ("gain", "ridge"):
                r2 = skill("lightgbm", level, middle, maker.sizes) + 0.01 - 3.0 / k
                maker.add("topk", "lightgbm", f"k={k}+selector={selector}", level, middle, r2, trees=200)
    for train in (0.0, 1.0, 1.2):
        for test in (0.0, 0.5, 1.0, 2.0):
            r2 = skill("lightgbm", test, middle, maker.sizes) - 0.5 * (test - train) ** 2
            maker.add("cross_noise", "lightgbm", "", train, middle, r2, test=test, seeds=(0,))
    for n in (small, top):
        maker.add("error_only", "lightgbm", "input=error", 0.0, n, 0.85, trees=300)
    return maker.table(family="trees")


def networks(maker):
    """Arms of family `networks`."""
    small, middle, top = min(maker.sizes), maker.sizes[len(maker.sizes) // 2], max(maker.sizes)
    for level in (0.1, 1.0):
        for n in (small, top):
            for model, setting, loss in (
                ("mlp", "", 0.0),
                ("residual_mlp", "ridge=out_of_fold", 0.0),
                ("residual_mlp", "ridge=in_sample", 0.04),
            ):
                r2 = skill(model, level, n, maker.sizes) - loss
                maker.add("networks", model, setting, level, n, r2, parameters=1.1e6, steps=2500)
        for kernel in (9, 21):
            for rate in (0.001, 0.003):
                for pool, gain in (("average", 0.0), ("flatten", 0.1)):
                    setting = f"kernel={kernel}+rate={rate:g}+steps=200+pool={pool}"
                    r2 = skill("cnn", level, middle, maker.sizes) + gain - 0.05 * ((kernel == 9) == (rate < 0.002))
                    maker.add("cnn", "cnn", setting, level, middle, r2, parameters=27265, steps=200)
    for size in (128, 500, 4000):
        r2 = skill("mlp", 1.0, middle, maker.sizes) + 0.002 * math.log2(size / 128)
        maker.add("validation_size", "mlp", f"validation={size}", 1.0, middle, r2, parameters=1.1e6)
    return maker.table(family="networks")


def roster(maker):
    """Arms of family `roster`."""
    for level in maker.levels:
        for weights, loss in (("mean", 0.02), ("error", 0.0)):
            r2 = skill("template", level, 0, maker.sizes) - loss
            uses = {"uses_error": 1.0} if weights == "error" else {}
            maker.add("template", "template", f"weights={weights}", level, 0, r2, seeds=(0,), **uses)
    return maker.table(family="roster")


def families(**options):
    """Family -> table, of all experiments; `options` as of `Maker`."""
    maker = Maker(**options)
    return {"linear": linear(maker), "trees": trees(maker), "networks": networks(maker), "roster": roster(maker)}


def everything(**options):
    """All arms of all families in one table."""
    return joined(families(**options).values())


@cache
def small():
    """All experiments at three noise levels and two sizes; made once, so not to be changed."""
    return everything(levels=(0.0, 0.1, 1.0), sizes=(1000, 8000))


def without(table, **unwanted):
    """A table without the arms that have the named values, such as experiment="cnn"."""
    kept = np.setdiff1d(np.arange(len(table.experiments)), table.rows(**unwanted))
    text = ("experiments", "models", "settings", "facts")
    numbers = ("train_noise", "test_noise", "n_train", "seeds", "validation_r2", "predictions")
    picked = {name: tuple(getattr(table, name)[row] for row in kept) for name in text}
    return replace(table, **picked, **{name: getattr(table, name)[kept] for name in numbers})


def optimum(table, r2=0.75):
    """Posterior of an observer that reaches an R2 at the stars of a table but every fifth."""
    rng = np.random.default_rng(8)
    kept = np.flatnonzero(np.arange(len(table.stars)) % 5 != 0)
    truth = table.truth[kept]
    variance = float(np.var(truth))
    mean = truth.mean() + r2 * (truth - truth.mean())
    mean += math.sqrt(r2 * (1.0 - r2) * variance) * rng.standard_normal(len(kept))
    ones = np.ones((1, len(kept)))
    return PosteriorTable(
        observers=("flux",),
        stars=table.stars[kept],
        truth=truth,
        labels=table.labels[kept],
        mag=table.mag[kept],
        snr=table.snr[kept],
        mean=mean[None],
        sd=math.sqrt((1.0 - r2) * variance) * ones,
        pit=0.5 * ones,
        coarse_mean=mean[None],
        effective=500.0 * ones,
        monte_carlo_error=0.01 * ones,
    )
