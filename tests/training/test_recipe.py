"""Recipes: schedules against closed forms, losses against their definitions, the published run in its own numbers."""

import math
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch

from repro.errors import ParameterError
from repro.training.history import Epoch
from repro.training.recipe import FAITHFUL, FAST, Recipe


def test_the_cosine_is_that_of_torch():
    """Per update and per epoch: CosineAnnealingLR with eta_min, stepped as often."""
    for per, steps, batches in (("update", 12, 4), ("epoch", 12, 4)):
        recipe = Recipe(learning_rate=3e-2, floor=1e-3, per=per)
        weights = torch.nn.Parameter(torch.zeros(1))
        optimizer = torch.optim.SGD([weights], lr=3e-2)
        each = 1 if per == "update" else batches
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps // each, eta_min=1e-3)
        for step in range(steps):
            assert recipe.rate(step, steps, batches) == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-12)
            optimizer.step()
            if (step + 1) % each == 0:
                schedule.step()


def test_schedules_at_their_ends_and_in_the_middle():
    cosine = Recipe(learning_rate=2.0, floor=0.5)
    line = replace(cosine, schedule="linear")
    for recipe, quarter in ((cosine, 1.25 + 0.75 * math.sqrt(0.5)), (line, 1.625)):
        assert [recipe.rate(step, 8) for step in (0, 2, 4)] == pytest.approx([2.0, quarter, 1.25])
        assert 0.5 < recipe.rate(7, 8) < 0.72
    warm = replace(line, floor=0.0, warmup=4)
    rates = [warm.rate(step, 12) for step in range(12)]
    assert rates == pytest.approx([0.5, 1.0, 1.5, 2.0, 2.0, 1.75, 1.5, 1.25, 1.0, 0.75, 0.5, 0.25])
    assert [replace(line, per="epoch", floor=0.0).rate(step, 6, 3) for step in range(6)] == [2.0] * 3 + [1.0] * 3
    assert replace(warm, warmup=20).rate(3, 8) == pytest.approx(0.4)  # it never ends


def test_losses_are_what_they_are_called():
    given, goal = torch.tensor([1.0, -2.0, 0.5, 3.0]), torch.tensor([1.5, 1.0, 0.5, 2.0])
    error = np.array([0.5, 3.0, 0.0, 1.0])
    for name, expected in (
        ("mse", error**2),
        ("l1", error),
        ("huber", np.where(error < 0.7, error**2 / 2, 0.7 * (error - 0.35))),
    ):
        assert Recipe(loss=name, delta=0.7).losses(given, goal).numpy() == pytest.approx(expected, rel=1e-6)
    assert torch.equal(
        Recipe(loss="huber").losses(given, goal), torch.nn.HuberLoss(reduction="none", delta=1.0)(given, goal)
    )


def test_r2_or_the_mean_error_chooses_the_epoch():
    """Four epochs of which the second has the best R2 and the third the least error."""
    scores = [(0.5, 0.6), (0.8, 0.4), (0.7, 0.3), (0.8, 0.4)]
    history = [Epoch(number + 1, 1e-3, 1.0, *score) for number, score in enumerate(scores)]
    assert (Recipe().best(history), Recipe(select="mae").best(history)) == (1, 2)
    assert Recipe(patience=2).stops(history)
    assert not Recipe(patience=2, select="mae").stops(history)
    assert not Recipe().stops(history)


def test_the_published_run_in_its_own_numbers():
    """Fact sheet 2.5 and L15: 3907 updates an epoch, 504 003 to epoch 128, where the rate is 9.3e-5."""
    epochs, steps = FAITHFUL.plan(1_000_000)
    assert (epochs, steps) == (200, 200 * 3907)
    assert FAITHFUL.presentations(1_000_000, 504_003) == 129_000_000
    assert FAITHFUL.presentations(1_000_000, 3907 + 2) == 1_000_512
    rates = [FAITHFUL.rate(epoch * 3907, steps, 3907) for epoch in (0, 128)]
    assert rates == pytest.approx([3e-4, 9.3e-5], rel=5e-3)
    assert FAITHFUL.rate(504_002, steps, 3907) == rates[1]  # one rate in an epoch
    assert (FAITHFUL.clip, FAITHFUL.batch, FAITHFUL.weight_decay, FAITHFUL.loss) == (0.5, 256, 0.01, "mse")
    epochs, steps = FAST.plan(1_000_000)
    assert FAST.rate(steps - 1, steps) < 1e-7 < 1e-6 < FAST.rate(0, steps) < FAST.rate(FAST.warmup, steps) <= 1e-3


def test_what_a_training_computes_with_is_told():
    processor, gpu = torch.device("cpu"), torch.device("cuda")
    assert FAITHFUL.precision(processor) == replace(FAITHFUL, mode="strict").precision(gpu)
    assert FAITHFUL.precision(processor)["precision"] == "float32"
    assert FAITHFUL.precision(gpu) == {
        "mode": "fast",
        "precision": "bfloat16 products",
        "tf32": True,
        "compile": "default",
        "deterministic": False,
    }


def test_recipes_that_cannot_be_are_refused():
    for settings, message in (
        ({"average": 1.0}, "average = 1.0 must be a decay below 1"),
        ({"steps": -1}, "steps = -1 must be a finite number > 0"),
        ({"delta": 0.0}, "delta = 0.0 must be a finite number > 0"),
        ({"learning_rate": math.nan}, "learning_rate = nan must be a finite number > 0"),
        ({"mode": "slow"}, "mode = 'slow' must be strict or fast"),
        ({"loss": "mae"}, "loss = 'mae' must be mse or l1 or huber"),
        ({"optimizer": "sgd"}, "optimizer = 'sgd' must be adamw or muon"),
        ({"betas": (0.9, 1.0)}, r"betas = \(0.9, 1.0\) must be decays below 1"),
        ({"floor": 1.0}, "floor = 1.0 is above learning_rate = 0.001"),
    ):
        with pytest.raises(ParameterError, match=message):
            Recipe(**settings)
    assert Recipe(**asdict(FAST)) == FAST
