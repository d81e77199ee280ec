"""The registry of Track A: rows and contradictions are in it, its margins tell them apart, its addresses are made."""

import re
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import numpy as np
import pytest
import yaml

from repro.claims.claim import Claim, Registry, Track
from repro.claims.registry import read_registry
from repro.claims.verdict import judge
from repro.experiments.vit.variants import KERNEL, Variant, ablations
from repro.models import vit
from repro.params import ABLATIONS
from repro.scores import track_a
from repro.scores.contenders import BASELINES, Contenders
from repro.scores.published_vit import ARCHITECTURE
from repro.scores.published_vit_items import parameters
from repro.scores.vit_size import SWEEP
from repro.training.recipe import FAITHFUL
from tests.claims.decidable import word
from tests.claims.published_matrix import answered, printed
from tests.claims.published_vit import BINS, FIXED, MAE_Z, QUANTILES, SIZES, published
from tests.plots.vit_tables import references
from tests.scores.arm_tables import Maker
from tests.scores.attention_tables import attention_table

ROOT = Path(__file__).parents[2]
README = ROOT / "tracks" / "trackA" / "README.md"
LEVELS = (0.5, 1.0, 2.0)

# Claims that the numbers of the documents themselves refute: at any scale, by arithmetic alone
BY_ARITHMETIC = {"A-L17", "A-L26-bin", "A-L29-time", "A-C4", "A-H-json"}
# by what they measured elsewhere
REFUTED = BY_ARITHMETIC | {"A-R1", "A-R2", "A-R11", "A-R17", "A-L7", "A-L21-lgbm", "A-L26", "A-L27"}
REFUTED |= {"A-B5-lgbm", "A-B5-ridge", "A-C7", "A-C8", "A-C10", "A-C20", "A-C21", "A-C30", "A-T-200-epochs"}
REFUTED |= {"A-K-template"}  # the published fit is below what a fit reaches that finds its minima
REFUTED |= {"A-C4-row", "A-S-upper-bound"}
REFUTED |= {"A-N-lgbm-rises"}  # two of its steps fall on 500 stars

NOT_MADE = re.compile("resource/")  # by no stage: `python -m benchmarks.vit` on a GPU


@pytest.fixture(scope="module")
def registry() -> Registry:
    return read_registry(ROOT)


@pytest.fixture(scope="module")
def track(registry: Registry) -> Track:
    return registry.tracks["trackA"]


@pytest.fixture(scope="module")
def claims(track: Track) -> dict[str, Claim]:
    return {claim.id: claim for claim in track.claims}


@pytest.fixture(scope="module")
def written() -> set[str]:
    """Addresses, whatever their sizes, that the scores of all experiments have."""
    groups = ("Ca II triplet", "Na I", "Fe I", "K I")
    pixels = 128
    windows = np.zeros((len(groups), pixels), dtype=bool)
    for place in range(len(groups)):
        windows[place, 20 * place : 20 * place + 6] = True
    attention = attention_table(groups=groups, windows=windows, occluded=np.zeros((12, len(groups))))
    known = contenders()
    tables = track_a.Tables(known, references(known), attention)
    parts = {f"vit/parameters/{part}" for part in parameters(**ARCHITECTURE)}
    members = {f"vit/parameters/{'-'.join(map(str, member))}/total" for member in SWEEP}
    return parts | members | {shape(address) for address, _, _ in track_a.items(tables)}


def contenders() -> Contenders:
    """Every training of Track A under the names that its jobs give it, and the baselines."""
    maker, sizes = Maker(stars=80, seeds=(0, 1)), (50_000, 100_000)
    for n in sizes:
        maker.add("main", "vit", "", 1.0, n, 0.5, label_std=1.17, label_mean=3.0, best_validation_mae=0.4)
    for level in LEVELS:
        maker.add("cross_noise", "vit", "", 1.0, sizes[-1], 0.5, test=level)
    maker.add("steps", "vit", "steps=8", 1.0, 128, 0.0, seeds=(0,), parameters=4875521.0)
    maker.add("fast", "vit_fast", "", 1.0, sizes[-1], 0.5)
    maker.add("cnn_matched", "cnn", f"kernel={KERNEL}", 1.0, sizes[0], 0.5)
    names = [name for name in ABLATIONS if name not in ("cross_noise", "cnn_matched")]
    variants = ablations(names, Variant(vit.SMALL, FAITHFUL), pixels=256, law="paper", levels=LEVELS)
    for entry in (entry for entries in variants.values() for entry in entries):
        name = "swin" if entry.experiment == "swin" else "vit"
        maker.add(entry.experiment, name, entry.setting, 1.0, sizes[0], 0.5)
    own = maker.table()
    for name in BASELINES:
        for n in (0,) if name == "template" else sizes:
            maker.add("baseline", name, "", 1.0, n, 0.4)
    return Contenders(own, maker.table())


def shape(address: str) -> str:
    """An address without its numbers of spectra, and with the stand-in under the name of what it stands for."""
    address = address.replace("vit_small", "vit")
    return re.sub(r"/n\d+(-\d+)?(?=/)", "/n#", address)


def measured(track: Track) -> Iterator[tuple[Claim, str]]:
    """Claims with evidence, downsized ones included, and each of their addresses."""
    for parent in track.claims:
        for claim in (parent, parent.downsized):
            for address in claim.evidence.addresses if claim and claim.evidence else ():
                yield claim, address


def contradictions() -> dict[int, str]:
    """Number of each contradiction in the README -> the claim that carries it."""
    rows = re.findall(r"\| (\d+) [^|]+\| (A-[\w.-]+) ", README.read_text(encoding="utf-8"))
    return {int(number): claim for number, claim in rows}


def test_rows_of_the_documents_are_all_there(claims: dict[str, Claim]) -> None:
    for letter, count in (("R", 23), ("L", 29), ("B", 11)):
        missing = [n for n in range(1, count + 1) if not any(re.fullmatch(rf"A-{letter}{n}(-.*)?", i) for i in claims)]
        assert not missing, letter


def test_every_contradiction_is_carried_by_a_claim_that_says_so(claims: dict[str, Claim]) -> None:
    found = contradictions()
    assert sorted(found) == list(range(1, 35))
    assert not [claim for claim in found.values() if not claims[claim].contradiction]


def test_what_contradicts_itself_says_how(track: Track, claims: dict[str, Claim]) -> None:
    assert not [c.id for c in track.claims if c.contradicts_itself and c.contradiction is None]
    ours = {"A-K-template", "A-N-lgbm-rises", "A-T-200-epochs"}  # statements of the kit, or of a plan
    assert not [i for i in REFUTED - ours if not claims[i].contradicts_itself]


def test_curves_and_sizes_are_claimed_point_by_point(track: Track) -> None:
    stated = {
        (c.evidence.addresses[0], v) for c in track.claims if c.kind == "value" and c.evidence for v in printed(c)
    }
    for model, fixed in FIXED.items():
        base = "headline" if model == "vit" else f"baseline/{model}"
        for name, r2 in zip(BINS, fixed, strict=True):
            assert (f"{base}/snr_column/{name}/r2", r2) in stated
        for place, r2 in enumerate(QUANTILES[model], start=1):
            assert (f"{base}/quantile/{place}/r2", r2) in stated
    for n, row in SIZES.items():
        for model, r2 in zip(("vit", "lightgbm", "ridge"), row, strict=True):
            if r2 is not None and n < 1_000_000:
                assert (f"scaling/{model}/n{n}/r2", r2) in stated
    assert not [n for n, mae in MAE_Z.items() if (f"scaling/vit/n{n}/mae_z", mae) not in stated]


@pytest.mark.parametrize("source", ["bosz", "lte"])
def test_published_numbers_reproduce_what_they_support_and_refute_what_they_contradict(
    track: Track, source: str
) -> None:
    """With the margin for another source too."""
    evidence = published(source)
    words = {claim.id: judge(claim, evidence).word for claim in answered(track, evidence)}
    others = {"A-L9-median"} if source == "lte" else set()  # it has no margin for another source
    assert {i for i, w in words.items() if w == "NOT REPRODUCED"} == REFUTED
    assert {i for i, w in words.items() if w == "NOT COMPARABLE"} == others
    assert len(words) > 150 and set(words.values()) <= {"REPRODUCED", "NOT REPRODUCED", "NOT COMPARABLE"}


def test_a_small_run_judges_no_claim_on_a_million_spectra(track: Track) -> None:
    """But what it can judge stays as it is: protocol, template fit, arithmetic."""
    evidence = published("bosz", scale="ci", model="vit_small", n_train=8000)
    found = answered(track, evidence)
    words = {claim.id: judge(claim, evidence).word for claim in found}
    asked = {c.id for c in found if {"model", "n_train", "scale"} & set(c.required)}
    assert {i for i, w in words.items() if w == "NOT COMPARABLE"} == asked
    headline = [
        c for c in found if c.evidence and c.evidence.addresses[0].startswith(("headline", "gain", "eta", "gap"))
    ]
    assert headline and not [c.id for c in headline if c.id not in asked]
    assert {i for i, w in words.items() if w == "NOT REPRODUCED"} >= BY_ARITHMETIC


def test_every_claim_can_be_reproduced_and_can_fail(track: Track) -> None:
    for parent in track.claims:
        for claim in (parent, parent.downsized):
            if claim and claim.evidence:
                assert word(claim, met=True) == "REPRODUCED", claim.id
                assert word(claim, met=False) == "NOT REPRODUCED", claim.id


def test_every_address_is_one_that_the_scores_write(track: Track, written: set[str]) -> None:
    assert not [(c.id, a) for c, a in measured(track) if shape(a) not in written and not NOT_MADE.match(a)]


def test_sizes_and_settings_are_those_of_a_scale(track: Track) -> None:
    """Weaker forms name sizes of scale ci; all others those of lab or paper, and say which decides them."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    ci, lab, paper = (params[scale]["trackA"] for scale in ("ci", "lab", "paper"))
    small = {*ci["sizes"], ci["published_steps"] * 16}
    large = {*lab["sizes"], *paper["sizes"], lab["ablation_size"]}
    for claim, address in measured(track):
        found = {int(n) for part in re.findall(r"/n(\d+(?:-\d+)?)/", address) for n in part.split("-")}
        known = found <= small
        assert known or found <= large, claim.id
        assert known or (claim.decided_by and not claim.weaker_than), claim.id
    assert ci["published_steps"] == 8  # as address and statement of A-K-runs have it


def test_what_a_claim_on_the_run_needs_is_said(track: Track) -> None:
    for claim in track.claims:
        if set(claim.required) & {"model", "n_train", "scale"}:
            assert claim.decided_by, claim.id
        if claim.downsized:
            assert not set(claim.downsized.required) - {"noise"}, claim.id


def test_ids_in_the_readme_of_the_track_exist(registry: Registry) -> None:
    text = README.read_text(encoding="utf-8").replace("\\*", "*")
    ids = [i.rstrip(".") for i in re.findall(r"\b[A-F]-[A-Z][\w.]*(?:\*|(?:-(?:[\w.]+|\*))*)", text)]
    assert len(ids) > 100
    assert not [i for i in ids if not any(fnmatch(known, i) for known in registry.by_id)]
