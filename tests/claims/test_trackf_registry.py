"""The registry of Track F: every row is in it, its margins tell the contradictions apart, its addresses are written."""

import re
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

from repro.claims.claim import Claim, Registry, Track
from repro.claims.registry import read_registry
from repro.claims.verdict import judge
from repro.experiments.table import ArmTable, joined
from repro.scores import track_e, track_f
from tests.claims.decidable import word
from tests.claims.published_matrix import BEST, LEVELS, answered, numbers, printed, published
from tests.scores import arm_tables

ROOT = Path(__file__).parents[2]
README = ROOT / "tracks" / "trackF" / "README.md"

CELLS = ("ridge-32k", "ridge-100k", "ridge-1m", "alpha", "lgbm-32k", "lgbm-100k", "lgbm-1m", "mlp-32k", "mlp-100k")
CELLS += ("cnn", "vit-1m", "oracle-1m", "fisher")
PRINCIPLES = {"R": 9, "N": 9, "L": 8, "S": 5, "T": 5, "E": 5}  # M, D, F belong to other tracks

# Claims that the numbers of the sources themselves refute
REFUTED = {
    *("F-N-alpha", "F-N-cnn", "F-S5-lever", "F-L12", "F-L13", "F-L14", "F-L16", "F-L17", "F-L2", "F-L21", "F-L23"),
    *("F-L25", "F-L38", "F-P-R3", "F-P-L2", "F-P-L3", "F-P-L8"),
}
# and those that a margin for another source is too wide for, or that have none
REFUTED_ON_BOSZ = {"F-N-mlp-100k", "F-L5", "F-L37"}
ONLY_ON_BOSZ = {"F-L5", "F-K-cnn-1"}

# Models and settings that no arm of the matrix has
OTHERS = re.compile(
    r"stability|depth|whitening|decay|dropout|metadata|.*/(oracle_moe|latent_probe|topk_window_cnn|swin)/"
)


@pytest.fixture(scope="module")
def registry() -> Registry:
    return read_registry(ROOT)


@pytest.fixture(scope="module")
def track(registry: Registry) -> Track:
    return registry.tracks["trackF"]


@pytest.fixture(scope="module")
def claims(track: Track) -> dict[str, Claim]:
    return {claim.id: claim for claim in track.claims}


@pytest.fixture(scope="module")
def written() -> set[str]:
    """Shapes of the addresses that the scores of a matrix with all experiments have."""
    table = joined([arm_tables.small(), beside()])
    tables = track_f.Tables(table, arm_tables.optimum(table))
    return {shape(address) for address, _, _ in track_f.items(tables)}


def beside() -> ArmTable:
    """What the made-up matrix does not vary: leaves, steps of a CNN, smaller penalties, header data."""
    maker = arm_tables.Maker(sizes=(1000, 8000))
    for leaves in (15, 63):
        maker.add("trees", "lightgbm", f"rate=0.05+leaves={leaves}", 0.0, 1000, 0.9)
    for steps in (400, 20000):
        maker.add("cnn", "cnn", f"kernel=9+rate=0.003+steps={steps}+pool=average", 0.1, 1000, 0.5)
    for alpha in ("1e-06", "0.0001"):
        maker.add("alpha_edge", "ridge", f"alpha={alpha}", 0.0, 1000, 0.99)
    maker.add("metadata", "ols", "", 0.0, 1000, 0.0)
    return maker.table()


def shape(address: str) -> str:
    """An address without its noise levels, sizes and the values of numeric settings."""
    address = re.sub(r"(noise|test)[\d.]+", r"\1#", address)
    address = re.sub(r"/n\d+(-\d+)?(?=/)", "/n#", address)
    return re.sub(r"(k|alpha|rate|leaves|kernel|steps|trees|validation|choice)=[\d.e+-]*\d", r"\1=#", address)


def measured(track: Track) -> Iterator[tuple[Claim, str]]:
    """Claims with evidence, downsized ones included, and each of their addresses."""
    for parent in track.claims:
        for claim in (parent, parent.downsized):
            for address in claim.evidence.addresses if claim and claim.evidence else ():
                yield claim, address


def test_rows_and_cells_are_all_there(claims: dict[str, Claim]) -> None:
    def has(pattern: str) -> bool:
        return any(re.fullmatch(pattern, name) for name in claims)

    assert not [n for n in range(1, 21) if not has(rf"F-S{n}(-.*)?")]
    assert not [n for n in range(1, 41) if not has(rf"F-L{n}(-.*)?")]
    assert not [cell for cell in CELLS if f"F-N-{cell}" not in claims]


def test_every_principle_is_named_by_a_claim_that_judges_it(claims: dict[str, Claim]) -> None:
    named: set[str] = set()
    for claim in claims.values():
        if claim.id.startswith("F-P-"):
            head, _, rest = claim.statement.partition(":")
            assert rest, claim.id
            named |= set(re.findall(r"\b[RNLSTE]\d\b", head))
    assert named == {f"{letter}{n}" for letter, count in PRINCIPLES.items() for n in range(1, count + 1)}


def test_every_cell_of_the_leaderboard_over_noise_is_claimed(track: Track, registry: Registry) -> None:
    """Ridge and LightGBM with 32k and 100k, the MLP as far as it was run; of clean Ridge Track E has one."""
    every = [*track.claims, *registry.tracks["trackE"].claims]
    values = [(c.evidence.addresses[0], printed(c)) for c in every if c.kind == "value" and c.evidence]
    families = {"alpha/ridge/best": "ridge", "trees/lightgbm/best": "lightgbm", "networks/mlp": "mlp"}
    count = 0
    for family, model in families.items():
        for n in (32000, 100000):
            for level, r2 in zip(LEVELS, BEST[model, n], strict=True):
                address = f"{family}/noise{level}/n{n}/r2"
                if r2 is not None:
                    assert any(r2 in found for claimed, found in values if claimed == address), address
                    count += 1
    assert count == 28


def test_published_numbers_reproduce_what_they_support_and_refute_what_they_contradict(track: Track) -> None:
    evidence = published("trackF", "bosz")
    words = {claim.id: judge(claim, evidence).word for claim in answered(track, evidence)}
    assert {i for i, w in words.items() if w == "NOT REPRODUCED"} == REFUTED | REFUTED_ON_BOSZ
    assert len(words) >= 110 and set(words.values()) == {"REPRODUCED", "NOT REPRODUCED"}


def test_margins_for_another_source_keep_the_contradictions_apart(track: Track) -> None:
    evidence = published("trackF", "lte")
    words = {claim.id: judge(claim, evidence).word for claim in answered(track, evidence)}
    assert {i for i, w in words.items() if w == "NOT REPRODUCED"} == REFUTED
    assert {i for i, w in words.items() if w == "NOT COMPARABLE"} == ONLY_ON_BOSZ


def test_what_contradicts_the_sources_own_numbers_is_flagged(track: Track, claims: dict[str, Claim]) -> None:
    assert not [i for i in REFUTED | REFUTED_ON_BOSZ if not claims[i].contradicts_itself]
    assert not [c.id for c in track.claims if c.contradicts_itself and c.contradiction is None]


def test_every_claim_can_be_reproduced_and_can_fail(registry: Registry) -> None:
    for name in ("trackE", "trackF"):
        for parent in registry.tracks[name].claims:
            for claim in (parent, parent.downsized):
                if claim and claim.evidence:
                    assert word(claim, met=True) == "REPRODUCED", claim.id
                    assert word(claim, met=False) == "NOT REPRODUCED", claim.id


def test_bounds_of_r2_leave_room_for_an_r2_beyond_them(registry: Registry) -> None:
    """A bound of R2 at 1 or above, or of a count at 0 from below, could not fail."""
    for name in ("trackE", "trackF"):
        for claim, address in measured(registry.tracks[name]):
            if claim.bounds and claim.evidence and claim.evidence.form == "value" and address.endswith("/r2"):
                assert claim.bounds.at_most is None or claim.bounds.at_most.value < 1.0, claim.id


def test_every_address_is_one_that_the_scores_write(registry: Registry, written: set[str]) -> None:
    for name in ("trackE", "trackF"):
        missing = [
            (claim.id, address)
            for claim, address in measured(registry.tracks[name])
            if shape(address) not in written and not OTHERS.match(address)
        ]
        assert not missing


def test_addresses_of_track_e_are_among_those_it_keeps(registry: Registry) -> None:
    assert not [(c.id, a) for c, a in measured(registry.tracks["trackE"]) if not track_e.belongs(a)]


def test_claims_on_sizes_that_ci_has_not_say_what_decides_them(registry: Registry) -> None:
    sizes = {"n0", "n1000", "n2000", "n4000", "n8000", "n1000-8000", "n1000-2000"}
    for name in ("trackE", "trackF"):
        for claim, address in measured(registry.tracks[name]):
            size = re.search(r"/(n\d+(?:-\d+)?)/", address)
            if size and size[1] not in sizes:
                assert claim.decided_by, claim.id
                assert not claim.weaker_than, f"{claim.id} cannot be judged at scale ci"


def test_matched_claims_compare_equal_sizes_and_noise(registry: Registry) -> None:
    """Orderings of models compare them at one noise level and size; those of sizes and levels say which they vary."""
    varied = {"F-P-R2", "F-P-R3", "F-B-ridge-falls", "F-B-lgbm-falls", "F-P-L8", "F-K-gain-absolute", "F-L23"}
    varied |= {"F-P-N7", "F-E-order", "F-K-template"}  # the template fit learns from no spectra
    for name in ("trackE", "trackF"):
        for parent in registry.tracks[name].claims:
            for claim in (parent, parent.downsized):
                if claim and claim.kind == "ordering" and claim.evidence and parent.id not in varied:
                    places = {re.search(r"noise[\d.]+(?=/)", a)[0] for a in claim.evidence.addresses}
                    assert len(places) == 1, claim.id


def test_published_numbers_at_another_noise_level_are_not_comparable(track: Track) -> None:
    values = published("trackF", "bosz", noise=2.0)
    words = {judge(claim, values).word for claim in answered(track, values)}
    assert words == {"NOT COMPARABLE"}


def test_the_numbers_typed_twice_stand_in_the_registry(track: Track, registry: Registry) -> None:
    known = {value for name in ("trackE", "trackF") for c in registry.tracks[name].claims for value in printed(c)}
    stated = {r2 for row in BEST.values() for r2 in row if r2 is not None}
    assert not [r2 for r2 in stated if r2 not in known]
    assert len(numbers()) > 130


def test_every_id_in_the_readme_of_the_track_exists(registry: Registry) -> None:
    text = README.read_text(encoding="utf-8").replace("\\*", "*")
    ids = [i.rstrip(".") for i in re.findall(r"\b[CEF]-[A-Z][\w.]*(?:\*|(?:-(?:[\w.]+|\*))*)", text)]
    assert len(ids) > 60
    assert not [i for i in ids if not any(fnmatch(known, i) for known in registry.by_id)]
