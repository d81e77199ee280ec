"""Arms of the transformer: what is compared differs in what its setting says; every ablation trains what it says."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.optim.optimizer import register_optimizer_step_post_hook

from repro.experiments import jobs as jobs_module
from repro.experiments.jobs import run_jobs
from repro.experiments.table import ArmTable
from repro.experiments.vit.bench import error_weights
from repro.experiments.vit.jobs import SHORT, vit_jobs
from repro.experiments.vit.sources import Laws, OneDraw, PooledNoise
from repro.experiments.vit.variants import Entry, Variant, ablations, matched
from repro.instrument.noise import NoiseModel
from repro.instrument.pixels import N_PIXELS
from repro.models.cnn import Cnn
from repro.models.vit import PUBLISHED, SMALL, Shape, Vit
from repro.params import ABLATIONS
from repro.spectra.build import build_nodes
from repro.spectra.lattice import Lattice
from repro.spectra.noise import standard_normal
from repro.stages.trainings import Ledger
from repro.training.deviates import Deviates, SharedNoise
from repro.training.recipe import FAITHFUL
from tests.experiments.small import small_data
from tests.spectra.smooth import SmoothSource, observe_smooth

PIXELS = 256
DATA = small_data(pixels=PIXELS)
PLAN = SimpleNamespace(
    main="small",
    sizes=(32, 128),
    seeds=2,
    epochs=2,
    batch=64,
    published_steps=0,
    fast_epochs=0,
    ablations=(),
    ablation_size=32,
    ablation_epochs=1,
)
LEVELS = (0.0, 1.0, 2.0)
REFERENCE = Variant(PUBLISHED, FAITHFUL)


def jobs(**changed):
    others = {
        name: changed.pop(name) for name in ("checkpoints", "laws", "live", "announced", "counted") if name in changed
    }
    return {job.name: job for job in vit_jobs(DATA, SimpleNamespace(**(vars(PLAN) | changed)), LEVELS, **others)}


def found(*names, law="paper"):
    return ablations(names, REFERENCE, pixels=4096, law=law, levels=LEVELS)


def places(variants):
    """Settings of the entries of each experiment."""
    every = {}
    for entries in variants.values():
        for entry in entries:
            every.setdefault(entry.experiment, []).append(entry.setting)
    return every


def r2(estimates, truth):
    return 1.0 - np.mean((estimates - truth) ** 2) / np.var(truth)


def test_a_training_without_the_bench_gives_the_same_arm():
    """Again by a model of its own, on noise that is drawn and passed round here."""
    (main, *crossed) = list(jobs()["main-128-1"].make())
    pool = standard_normal(43, "train", 0, list(range(200)), PIXELS, "cpu")
    source = SharedPool(pool, 128)
    model = Vit(replace(SHORT, epochs=2, batch=64), shape=SMALL, seed=43)
    model.fit(source, DATA.y[:128], validation=DATA.validation(1.0))
    assert (main.prediction == model.predict(DATA.test_flux(1.0))).all()
    assert (main.experiment, main.model, main.setting) == ("main", "vit_small", "")
    assert (main.train_noise, main.test_noise, main.n_train, main.seed) == (1.0, 1.0, 128, 1)
    assert main.validation_r2 == pytest.approx(r2(model.predict(DATA.validation(1.0).flux), DATA.val.y), abs=1e-5)
    assert main.facts == model.facts | {"label_mean": np.mean(DATA.y[:128]), "label_std": np.std(DATA.y[:128])}
    assert [(arm.experiment, arm.test_noise) for arm in crossed] == [("cross_noise", level) for level in LEVELS]
    for arm in crossed:
        assert (arm.prediction == model.predict(DATA.test_flux(arm.test_noise))).all()


class SharedPool:
    """flux + 2 error eps with the eps of row i + 127 e of a pool of 200: 127 is the first number from 0.618 * 200 on
    that has no factor in common with 200."""

    def __init__(self, pool, n):
        self.pool, self.shape = pool, (n, PIXELS)

    def block(self, rows, epoch):
        flux, error = (torch.from_numpy(values)[rows] for values in (DATA.train.flux, DATA.train.error))
        return flux + 2.0 * error * self.pool[(rows + 127 * epoch) % 200]


def pooled(n=5, count=7, noise=2.0):
    flux, error = (torch.from_numpy(values[:n]) for values in (DATA.train.flux, DATA.train.error))
    return PooledNoise(flux, error, noise, Deviates((count, PIXELS), 42, 10**9))


def test_a_pool_shows_every_spectrum_every_noise_once_before_it_repeats():
    source, rows = pooled(), torch.arange(5)
    eps = torch.stack([(source.block(rows, epoch) - source.flux) / (2.0 * source.error) for epoch in range(8)])
    pool = standard_normal(42, "train", 0, list(range(7)), PIXELS, "cpu")
    met = torch.cdist(eps.reshape(-1, PIXELS), pool).argmin(dim=1).reshape(8, 5)
    assert torch.allclose(eps, pool[met], atol=1e-4)
    assert (met[0] == rows).all()
    assert all(len(set(met[:7, star].tolist())) == 7 for star in range(5))
    assert (met[7] == met[0]).all()


def test_presentation_0_of_a_pool_is_that_of_fresh_noise_and_no_noise_is_none():
    source, rows = pooled(), torch.tensor([4, 1])
    fresh = SharedNoise(source.flux, source.error, source.noise, source.deviates)
    assert torch.equal(source.block(rows, 0), fresh.block(rows, 0))
    assert not torch.equal(source.block(rows, 1), fresh.block(rows, 0))
    assert torch.equal(pooled(noise=0).block(rows, 3), source.flux[rows])
    assert torch.equal(OneDraw(source).block(rows, 3), source.block(rows, 0))


def test_the_short_recipe_has_as_many_updates_at_every_size_and_the_published_one_as_many_presentations():
    small, large = (jobs()[f"main-{n}-0"].make()[0].facts for n in (32, 128))
    assert (small["steps"], small["presentations"]) == (4, 64)
    assert (large["steps"], large["presentations"]) == (4, 256)
    few = {"main": "published", "sizes": (2, 4), "epochs": 1, "batch": 2}
    small, large = (jobs(**few)[f"main-{n}-0"].make()[0] for n in (2, 4))
    assert (small.model, small.facts["steps"], large.facts["steps"]) == ("vit", 1, 2)
    assert small.facts["parameters_used"] == small.facts["parameters"] - 65_792  # the unused pooler of 256^2 + 256


def test_published_updates_and_the_fast_variant_stand_where_they_are_asked_for():
    assert {name.split("-")[0] for name in jobs()} == {"main"}
    (arm,) = jobs(published_steps=1)["steps"].make()
    assert (arm.experiment, arm.model, arm.setting, arm.n_train) == ("steps", "vit", "steps=1", 16)
    assert (arm.facts["steps"], arm.facts["presentations"]) == (1, 16)
    (arm,) = jobs(fast_epochs=1, sizes=(4,), ablation_size=4)["fast-1"].make()
    assert (arm.experiment, arm.model, arm.n_train, arm.seed) == ("fast", "vit_fast", 4, 1)
    assert "steps" not in jobs(main="published", published_steps=1)  # it is the main model there


def test_a_training_whose_arms_could_not_be_stored_is_not_repeated(tmp_path, monkeypatch):
    monkeypatch.setattr(jobs_module, "code_fingerprint", lambda *_: "this")
    places = {"checkpoints": tmp_path / "checkpoints", "sizes": (32,), "seeds": 1, "ablation_size": 32}
    took = Ledger(tmp_path / "took.json", "cpu")
    updates = []

    def run(folder, **others):
        made = jobs(**(places | others)).values()
        run_jobs(list(made), DATA, folder, tmp_path / f"{folder.name}.h5", models=tmp_path / f"{folder.name}-models")
        return (tmp_path / f"{folder.name}.h5").read_bytes()

    hook = register_optimizer_step_post_hook(lambda *_: updates.append(1))
    try:
        with monkeypatch.context() as full, pytest.raises(OSError, match="full"):
            full.setattr(ArmTable, "write", lambda *_: (_ for _ in ()).throw(OSError("the disk is full")))
            run(tmp_path / "kept", counted=took.counting)
        assert len(updates) == 2  # an epoch each
        stored = run(tmp_path / "kept", counted=took.counting)
        assert len(updates) == 2
    finally:
        hook.remove()
    assert not any((tmp_path / "checkpoints").iterdir())
    assert stored == run(tmp_path / "whole", checkpoints=None)  # neither the restart nor the counting shows
    (taken,) = json.loads((tmp_path / "took.json").read_text())["jobs"].values()
    assert [(row["presentations"], row["seed"]) for row in taken["sessions"]] == [(64, 42), (0, 42)]


def test_runs_follow_each_other_so_that_noise_is_drawn_once():
    names = list(jobs(published_steps=1, fast_epochs=1, ablations=("loss", "decay")))
    runs = [name.rsplit("-", 1)[1] for name in names if name != "steps"]
    assert runs == sorted(runs)
    assert names.index("steps") < names.index("main-32-1")


def test_every_ablation_that_the_parameters_know_has_arms():
    assert set(places(found(*ABLATIONS))) == set(ABLATIONS)
    assert "lattice" not in places(found(*ABLATIONS, law=None))


def test_an_ablation_changes_what_its_setting_says_and_nothing_else():
    expected = {
        "tokenizer=sw": replace(REFERENCE, network=Shape(tokenizer="sw")),
        "tokenizer=sw+init=conv": replace(REFERENCE, network=Shape(tokenizer="sw", init="conv")),
        "positions=rotary": replace(REFERENCE, network=Shape(positions="rotary")),
        "positions=none": replace(REFERENCE, network=Shape(positions="none")),
        "pooling=mean": replace(REFERENCE, network=Shape(pooling="mean")),
        "loss=l1": replace(REFERENCE, recipe=replace(FAITHFUL, loss="l1")),
        "loss=huber": replace(REFERENCE, recipe=replace(FAITHFUL, loss="huber")),
        "labels=minmax": replace(REFERENCE, labels="minmax"),
        "labels=none": replace(REFERENCE, labels="none"),
        "patch=8+width=128+depth=8": replace(REFERENCE, network=Shape(8, width=128, depth=8, heads=4)),
        "patch=32+width=256+depth=4+stride=8": replace(REFERENCE, network=Shape(32, 8, 256, 4, 4)),
        "weights=error": replace(REFERENCE, weighted=True),
        "kept=average": replace(REFERENCE, recipe=replace(FAITHFUL, average=0.999)),
        "noise=fixed": replace(REFERENCE, fresh=False),
        "decay=0.0001": replace(REFERENCE, recipe=replace(FAITHFUL, weight_decay=1e-4)),
        "law=continuous": replace(REFERENCE, law="continuous"),
    }
    by_name = {entry.setting: variant for variant, entries in found(*ABLATIONS).items() for entry in entries}
    assert {name: by_name[name] for name in expected} == expected


def test_the_reference_is_trained_once_and_stands_in_every_experiment():
    entries = found(*ABLATIONS)[REFERENCE]
    assert [(entry.experiment, entry.setting) for entry in entries] == [
        ("tokenizer", "tokenizer=c1d"),
        ("positions", "positions=learned"),
        ("pooling", "pooling=cls"),
        ("loss", "loss=mse"),
        ("labels", "labels=zscore"),
        ("shape", "patch=16+width=256+depth=6"),
        ("weights", "weights=none"),
        ("kept", "kept=best"),
        ("kept", "kept=last"),
        ("noise", "noise=fresh"),
        ("decay", "decay=0.01"),
        ("lattice", "law=paper"),
        ("cross_noise", ""),
    ]
    continuous = found("lattice", law="continuous")
    assert continuous[REFERENCE] == [Entry("lattice", "law=continuous")]
    assert continuous[replace(REFERENCE, law="paper")] == [Entry("lattice", "law=paper")]


def test_the_sweep_varies_patch_width_and_depth_one_at_a_time():
    shapes = [variant.network for variant in found("shape")]
    alone = {
        name: sorted(
            getattr(shape, name) for shape in shapes if shape == replace(PUBLISHED, **{name: getattr(shape, name)})
        )
        for name in ("patch", "width", "depth")
    }
    assert alone == {"patch": [8, 16, 32, 64], "width": [128, 256, 384], "depth": [4, 6, 8]}


def test_the_convolutional_network_has_as_many_parameters_as_fit():
    for shape, most in ((PUBLISHED, 4_809_729), (SMALL, 110_591)):
        given = matched(shape, 4096)
        counts = []
        for more in (0, 1):
            width = given.channels[0] + more
            model = Cnn(kernel=9, channels=(width, 2 * width))
            counts.append(sum(p.numel() for p in model._made(torch.zeros(4096), torch.ones(4096)).parameters()))
        assert counts[0] <= most < counts[1]
        assert counts[0] > 0.98 * most


def test_error_weights_are_inverse_variances_of_mean_one():
    error = np.array([[1.0, 2.0, 9.0], [4.0, 4.0, 4.0]], dtype=np.float32)
    assert error_weights(error) == pytest.approx([1.6, 0.4])


@pytest.fixture(scope="module")
def nodes(tmp_path_factory):
    """The file of a small node grid."""
    folder = tmp_path_factory.mktemp("nodes")
    lattice = Lattice(
        {
            "T_eff": (4500.0, 5000.0, 5500.0),
            "log_g": (1.0, 2.0, 3.0),
            "M_H": (-0.5, 0.0, 0.5),
            "a_M": (0.0,),
            "C_M": (0.0,),
        }
    )
    build_nodes(SmoothSource(), observe_smooth, lattice, folder / "work").write(folder / "nodes.h5")
    return folder / "nodes.h5"


def laws(nodes, folder, own="paper"):
    return Laws(own, nodes, NoiseModel("paper"), 42, (20.5, 22.5), folder)


def test_labels_of_another_law_come_from_the_same_grid_and_are_made_once(nodes, tmp_path):
    other = laws(nodes, tmp_path / "laws")
    first = other.spectra("continuous", 20)
    assert not np.isin(first.y, (1.0, 2.0, 3.0)).any()
    assert np.isin(other.spectra("paper", 20).y, (1.0, 2.0, 3.0)).mean() > 0.5
    written = (tmp_path / "laws" / "continuous-20.h5").stat().st_mtime_ns
    again = other.spectra("continuous", 20)
    assert (again.flux == first.flux).all()
    assert (tmp_path / "laws" / "continuous-20.h5").stat().st_mtime_ns == written


def test_the_lattice_arms_differ_in_their_training_labels_alone(nodes, tmp_path):
    data = small_data(pixels=N_PIXELS, sizes=(16, 8, 10))
    plan = SimpleNamespace(**(vars(PLAN) | {"sizes": (16,), "ablation_size": 16, "ablations": ("lattice",)}))
    other = laws(nodes, tmp_path / "laws")
    made = {job.name: job for job in vit_jobs(data, plan, LEVELS, laws=other)}
    own, continuous = made["lattice-law=paper-0"].make()[0], made["lattice-law=continuous-0"].make()[0]
    assert [arm.setting for arm in (own, continuous)] == ["law=paper", "law=continuous"]
    stars = other.spectra("continuous", 16)
    pool = Deviates((16, N_PIXELS), 42, 10**9)
    for arm, clean in ((own, data.train), (continuous, stars)):
        flux, error = torch.from_numpy(clean.flux), torch.from_numpy(clean.error)
        model = Vit(replace(SHORT, epochs=1, batch=64), shape=SMALL, seed=42)
        model.fit(PooledNoise(flux, error, 2.0, pool), clean.y, validation=data.validation(1.0))
        assert (arm.prediction == model.predict(data.test_flux(1.0))).all()


@pytest.mark.slow
def test_every_arm_of_every_ablation_trains_and_is_stored(tmp_path):
    """At the smallest scale: one run, two updates; the labels of another law have their own test."""
    data = small_data(pixels=PIXELS, sizes=(32, 4, 4))
    chosen = [name for name in ABLATIONS if name != "lattice"]
    changed = {"sizes": (32,), "batch": 16, "ablation_size": 32, "ablations": chosen, "seeds": 1, "fast_epochs": 1}
    places = {"checkpoints": tmp_path / "kept", "live": tmp_path / "live"}
    made = vit_jobs(data, SimpleNamespace(**(vars(PLAN) | changed)), LEVELS, **places)
    run_jobs(made, data, tmp_path / "work", tmp_path / "vit.h5", models=tmp_path / "models")
    table = ArmTable.read(tmp_path / "vit.h5")
    assert set(table.experiments) == {"main", "fast", *chosen}
    assert set(table.models) == {"vit_small", "vit_fast", "swin", "cnn"}
    assert np.isfinite(table.predictions).all()
    files = {file.name for file in (tmp_path / "models").iterdir()}
    assert len(files) == 2 * len(made)
    assert {"main_vit_small_n32_seed0.safetensors", "main_vit_small_n32_seed0.csv"} <= files
    assert Vit.load(tmp_path / "models" / "main_vit_small_n32_seed0.safetensors").shape == SMALL
    kept = {table.settings[row]: table.predictions[row] for row in table.rows(experiment="kept")}
    assert (kept["kept=best"] != kept["kept=average"]).any()
    assert not any((tmp_path / "kept").iterdir())
    assert {page.name for page in (tmp_path / "live").iterdir()} == {job.name for job in made}
