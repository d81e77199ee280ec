"""The registry of Track E, its linear part: rows, contradictions, owners, and margins that tell readings apart."""

import re
from fnmatch import fnmatch
from pathlib import Path

import pytest

from repro.claims.claim import Claim, Registry
from repro.claims.registry import read_registry
from repro.claims.verdict import judge
from tests.claims.published_matrix import answered, published

ROOT = Path(__file__).parents[2]
README = ROOT / "tracks" / "trackE" / "README.md"
ROWS = ("E-S1", "E-S2", "E-S5", "E-S6", "E-S7", *(f"E-L{n}" for n in range(12, 19)))
REFUTED = {"E-L12-lgbm", "E-L13"}
# contradictions 1, 2, 4, 5 of the sources: the claim that is flagged, and the one that tests the other reading
CONTRADICTIONS = {"E-L12": "E-S5", "E-L13": "E-L13-path", "E-S6": "E-K-100k", "F-N-mlp-100k": "E-K-100k"}


@pytest.fixture(scope="module")
def registry() -> Registry:
    return read_registry(ROOT)


@pytest.fixture(scope="module")
def claims(registry: Registry) -> dict[str, Claim]:
    return {claim.id: claim for claim in registry.tracks["trackE"].claims}


def test_linear_rows_are_all_there(claims: dict[str, Claim]) -> None:
    assert not [row for row in ROWS if not any(re.fullmatch(rf"{row}(-.*)?", name) for name in claims)]


def test_contradictions_are_flagged_and_tested_from_either_side(registry: Registry) -> None:
    known = registry.by_id
    for flagged, other in CONTRADICTIONS.items():
        assert known[flagged].contradicts_itself and known[other].evidence is not None


def test_what_both_tracks_repeat_is_judged_once(registry: Registry) -> None:
    """Every claim that another owns exists there, and no two claims test one number of one address."""
    seen: dict[tuple[str, float], str] = {}
    for name in ("trackE", "trackF"):
        for claim in registry.tracks[name].claims:
            if claim.kind == "value" and claim.evidence and claim.reading and claim.reading.value:
                key = (claim.evidence.addresses[0], claim.reading.value.value)
                assert key not in seen, f"{claim.id} repeats {seen[key]}"
                seen[key] = claim.id
    owners = {c.id: c.same_as for c in registry.tracks["trackE"].claims if c.same_as}
    assert owners == {
        **{"E-S1-linear": "F-L12", "E-S7": "F-L12", "E-S6": "F-P-R1", "E-L17": "F-P-N6", "E-L18": "F-S5"},
    }


@pytest.mark.parametrize("source", ["bosz", "lte"])
def test_published_numbers_reproduce_what_they_support_and_refute_what_they_contradict(
    registry: Registry, source: str
) -> None:
    evidence = published("trackE", source)
    words = {c.id: judge(c, evidence).word for c in answered(registry.tracks["trackE"], evidence)}
    assert {name for name, word in words.items() if word == "NOT REPRODUCED"} == REFUTED
    assert set(words.values()) == {"REPRODUCED", "NOT REPRODUCED"} and len(words) >= 14


def test_margins_tell_the_readings_of_the_error_array_apart(claims: dict[str, Claim]) -> None:
    """0.91 for LightGBM excludes its own table, 0.392; 0.9103 on one family does not exclude 0.9896 on the other."""
    assert 0.91 - claims["E-L12-lgbm"].other_source.around(0.91) > 0.392
    assert 0.9103 + claims["E-S5"].other_source.around(0.9103) > 0.9896
    assert 0.788 + claims["E-L16"].tolerance.around(0.788) < 0.9245


def test_controls_of_the_error_array_stand_beside_it(registry: Registry) -> None:
    known = registry.by_id
    assert known["E-S5"].control == "E-K-smoothed" and known["E-L14-ols"].control == "E-K-ols-error"
    assert known["E-S2"].control == "E-K-out-of-fold"
    for name in ("E-K-smoothed", "E-K-permuted", "E-K-ols-error", "E-K-out-of-fold"):
        assert known[name].downsized is not None, f"{name} has no form for scale ci"


def test_every_id_in_the_readme_of_the_track_exists(registry: Registry) -> None:
    text = README.read_text(encoding="utf-8").replace("\\*", "*")
    ids = [i.rstrip(".") for i in re.findall(r"\b[CEF]-[A-Z][\w.]*(?:-(?:[\w.]+|\*))*", text)]
    assert len(ids) > 15
    assert not [i for i in ids if not any(fnmatch(known, i) for known in registry.by_id)]
