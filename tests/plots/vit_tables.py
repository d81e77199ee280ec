"""Tables of Track A as its stages leave them, on made-up stars: transformers, baselines, ceilings, histories."""

import csv
from dataclasses import replace

import numpy as np

from repro.scores.bootstrap import counts
from repro.scores.contenders import Contenders
from repro.scores.star_references import StarReferences
from tests.scores.arm_tables import Maker, skill

CHOICES = {
    "tokenizer": ("tokenizer=c1d", "tokenizer=sw", "tokenizer=sw+init=conv"),
    "loss": ("loss=mse", "loss=l1", "loss=huber"),
    "shape": (
        "patch=16+width=256+depth=6",
        "patch=16+width=256+depth=4",
        "patch=32+width=256+depth=4+stride=8",
        "patch=64+width=256+depth=6",
    ),
    "kept": ("kept=best", "kept=last", "kept=average"),
    "lattice": ("law=paper", "law=continuous"),
}
BASELINES = ("lightgbm", "mlp", "ridge")


def _maker(stars, seeds):
    maker = Maker(stars=stars, seeds=seeds)
    gravity = maker.labels[:, 1]
    node = np.arange(stars) % 5 != 0  # four of five, as the paper's law has it
    maker.labels[:, 1] = np.where(node, np.round(2.0 * gravity) / 2.0, gravity)
    return maker


def contenders(*, sizes=(2000, 8000), stars=240, seeds=(0, 1, 2), choices=False, model="vit_small"):
    """Arms of the main model and of baselines at some sizes; with `choices` every experiment of the larger scales."""
    maker = _maker(stars, seeds)
    top = max(sizes)
    for n in sizes:
        r2 = 0.6 - 0.9 * (n / 1000.0) ** -0.6
        maker.add("main", model, "", 1.0, n, r2, epochs=2, epochs_run=4, parameters=1e5, label_std=1.17)
    if choices:
        maker.add("fast", "vit_fast", "", 1.0, top, 0.57, epochs=3)
        for experiment, settings in CHOICES.items():
            for place, setting in enumerate(settings):
                maker.add(experiment, model, setting, 1.0, top, 0.55 - 0.08 * place, epochs=3)
        maker.add("swin", "swin", "", 1.0, top, 0.5)
        maker.add("cnn_matched", "cnn", "kernel=9", 1.0, top, 0.1)
        for train in (0.5, 1.0, 2.0):
            for test in (0.5, 1.0, 2.0):
                maker.add("cross_noise", model, "", train, top, 0.5 - 0.1 * abs(train - test), test=test)
    own = maker.table()
    for name in BASELINES:
        for n in sizes:
            maker.add("baseline", name, "", 1.0, n, skill(name, 1.0, n, sizes))
    maker.add("baseline", "template", "weights=mean", 1.0, 0, 0.6, seeds=(0,))
    maker.add("baseline", "cnn", "kernel=9", 1.0, sizes[0], -0.2)
    return Contenders(own, maker.table())


def references(known, r2=0.8):
    """Ceilings of the stars of a table: the optimum of an R2, the published curve, van Trees and unbiased bounds."""
    table = known.scores.table
    n, truth = len(table.stars), table.truth
    rng = np.random.default_rng(4)
    residual = truth - truth.mean()
    mean = truth.mean() + r2 * residual + np.sqrt(r2 * (1.0 - r2)) * residual.std() * rng.standard_normal(n)
    bound = (2.5 / table.snr) ** 2
    relative = np.clip(bound / 1.4, 0.0, 1.0)
    return StarReferences(
        names=("crlb", "mmse", "median", "van_trees"),
        observers=("", "flux", "", ""),
        relative=np.array([False, False, True, True]),
        loss=np.stack([bound, (mean - truth) ** 2, relative, 0.9 * relative]),
        stars=table.stars,
        optimum=mean,
        snr_column=1.16 * table.snr,
        snr_noisy=table.snr,
    )


def with_predictions(known, experiment, values):
    """The same with other predictions (n,) of the arms of one experiment of its own."""
    predictions = known.own.predictions.copy()
    predictions[known.own.rows(experiment=experiment)] = values
    return Contenders(replace(known.own, predictions=predictions), known.baselines)


def histories(known, folder, epochs=4):
    """A history beside every trained network, of R2 that rises to 0.5 and falls after epoch 2; their stems."""
    table, stems = known.own, []
    for row, experiment in enumerate(table.experiments):
        parts = (experiment, table.models[row], table.settings[row])
        stem = "_".join((*filter(None, parts), f"n{table.n_train[row]}", f"seed{table.seeds[row]}"))
        with open(folder / f"{stem}.csv", "w", newline="", encoding="utf-8") as file:
            rows = csv.writer(file, lineterminator="\n")
            rows.writerow(["epoch", "learning_rate", "loss", "validation_r2", "validation_mae"])
            for epoch in range(1, epochs + 1):
                r2 = 0.5 - 0.1 * abs(epoch - 2) - 0.01 * table.seeds[row]
                rows.writerow([epoch, 1e-3 / epoch, 1.0 / epoch, r2, 0.9 - r2])
        stems.append(stem)
    return stems


def r2_of(truth, prediction):
    """The definition."""
    return 1.0 - np.sum((prediction - truth) ** 2) / np.sum((truth - truth.mean()) ** 2)


def resampled(statistic, n):
    """A statistic of rows on each of the common resamples of n stars."""
    return np.array([statistic(np.repeat(np.arange(n), drawn.astype(int))) for drawn in counts(n)[1:]])
