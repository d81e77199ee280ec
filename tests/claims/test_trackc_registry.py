"""The registry of Track C: every number that is claimed stands in it, and its margins tell the contradictions apart."""

import re
from fnmatch import fnmatch
from pathlib import Path

import pytest
import yaml

import repro
from repro.claims.claim import Claim, Track
from repro.claims.evidence import Evidence, parse_evidence
from repro.claims.located import Printed
from repro.claims.registry import read_registry
from repro.claims.verdict import judge

ROOT = Path(__file__).parents[2]
MAGNITUDES = ("18", "20", "21.5", "22", "22.5", "23")

# Numbers stated in the logs (README of the track, "Rows and ids"), typed here a second time; None: a value that is not
# stated. 5D at magnitude 21.5 is given as printed, placeholders included.
DATA_SETS = {
    "snr_median": (87.4, 24.0, 7.1, 4.6, 3.0, 1.9),
    "snr_p5": (40.5, 7.1, 1.8, 1.1, 0.7, 0.5),
    "snr_p95": (94.8, 27.4, 8.4, 5.5, 3.5, 2.3),
    "error_median": (0.0058, 0.0210, 0.0703, 0.1085, 0.1690, 0.2649),
}
RESULTS_3D = {
    "r2max_p10": (0.9946, 0.9192, 0.0480, 0.0, 0.0, 0.0),
    "r2max_median": (0.9994, 0.9906, 0.8914, 0.7396, 0.3658, 0.0),
    "r2max_p90": (0.9999, 0.9983, 0.9804, 0.9530, 0.8854, 0.7180),
    "r2max_mean": (None, None, 0.7369, None, None, None),
    "r2max_std": (None, None, 0.3168, None, None, None),
    "sigma_p10": (0.0140, 0.0530, 0.1809, 0.2800, 0.4369, 0.6856),
    "sigma_median": (0.0328, 0.1249, 0.4255, 0.6588, 1.0281, 1.6133),
    "sigma_p90": (0.0945, 0.3669, 1.2597, 1.9534, 3.0483, 4.7802),
    "schur_median": (0.6641, 0.6842, 0.6906, 0.6921, 0.6922, 0.6923),
    "condition_median": (None, None, 2.09e5, None, None, None),
}
RESULTS_5D = {
    "r2max_p10": (0.9939, 0.9109, 0.5000, 0.0, 0.0, 0.0),
    "r2max_median": (0.9993, 0.9892, 0.8742, 0.6983, 0.2647, 0.0),
    "r2max_p90": (0.9999, 0.9980, 0.9768, 0.9445, 0.8650, 0.6678),
    "r2max_mean": (0.9976, 0.9653, 0.8742, 0.5467, 0.3570, 0.1762),
    "r2max_std": (0.0044, 0.0638, 0.0638, 0.3784, 0.3644, 0.2740),
    "schur_median": (0.5505, 0.5696, 0.5778, 0.5791, 0.5801, 0.5806),
    "crlb_span_decades": (3.53, 3.55, 3.56, 3.56, 3.56, 3.57),
}
TABLES = [("3D", DATA_SETS, 24), ("3D", RESULTS_3D, 45), ("5D", RESULTS_5D, 42)]

# What else the published histogram and tables give at single addresses.
DERIVED_3D = {
    **{"3D/n_nodes": 1260.0, "3D/n_not_identifiable": 0.0, "3D/sigma_snr_slope": -1.017, "3D/schur_range": 0.0282},
    **{"3D/snr_at_r2max_half": 3.3, "3D/snr_at_r2max_zero": 2.35, "3D/23/r2max_share_zero": 0.61},
    **{"3D/21.5/crlb_min": 7.45e-3, "3D/21.5/crlb_max": 5.67, "3D/21.5/crlb_p10": 0.0327, "3D/21.5/crlb_p90": 1.587},
    **{"3D/21.5/crlb_span_decades": 2.88, "3D/23/r2max_median_unclipped": -0.56, "3D/21.5/rmse_min": 0.747},
    **{"3D/21.5/r2_aggregate": 0.665, "3D/22/r2_aggregate": 0.197, "3D/22.5/r2_aggregate": -0.96},
    **{"3D/21.5/r2_local_prior": 0.798, "3D/22.5/r2_local_prior": 0.530, "3D/21.5/r2max_median_label_variance": 0.869},
    **{"3D/23/r2max_mean": 0.200, "3D/18/sigma_times_snr": 2.87, "3D/21.5/sigma_times_snr": 3.02},
    **{"3D/23/sigma_times_snr": 3.07, "3D/21.5/schur_min": 0.0585},
}
# Claims that the sources' own numbers refute, all judged on the 3D table.
REFUTED = {
    *("C-R8-22", "C-R8-22.5", "C-R12-0.1", "C-L8-p10", "C-L8-p90", "C-R4", "C-L18", "C-L17", "C-L25", "C-L41"),
    *("C-G-1-aggregate", "C-L28"),
}


@pytest.fixture(scope="module")
def track() -> Track:
    return read_registry(ROOT).tracks["trackC"]


@pytest.fixture(scope="module")
def claims(track: Track) -> dict[str, Claim]:
    return {claim.id: claim for claim in track.claims}


def _numbers(claim: Claim) -> list[float]:
    values = [s.value if isinstance(s.value, tuple) else (s.value,) for s in claim.sources]
    return [v.value for group in values for v in group if isinstance(v, Printed)]


def _published(source: str) -> Evidence:
    """Evidence that holds exactly what the documents give for the 3D grid."""
    values = dict(DERIVED_3D)
    for name, row in (DATA_SETS | RESULTS_3D).items():
        values |= {f"3D/{m}/{name}": v for m, v in zip(MAGNITUDES, row, strict=True) if v is not None}
    content = {
        **{"schema": 1, "track": "trackC", "dependencies": {}},
        "conditions": {"scale": "ci", "noise": 1.0, "source": source, "grid": "3D"},
        "values": {address: {"value": value} for address, value in values.items()},
    }
    return parse_evidence(content, "trackC", "published numbers")


def _answered(track: Track, evidence: Evidence) -> list[Claim]:
    return [c for c in track.claims if c.evidence and set(c.evidence.addresses) <= set(evidence.values)]


def test_ids_are_unique_and_the_controls_exist(track: Track, claims: dict[str, Claim]) -> None:
    assert len(claims) == len(track.claims) >= 60
    assert all(claim.id.startswith("C-") for claim in track.claims)
    assert not [c.id for c in track.claims if c.control and c.control not in claims]


def test_what_cannot_be_judged_on_the_3d_grid_says_what_would_decide_it(track: Track) -> None:
    judged = set(_published("lte").values)
    for claim in track.claims:
        if claim.evidence and not all(a in judged or a.startswith("3D/") for a in claim.evidence.addresses):
            assert claim.decided_by, claim.id


@pytest.mark.parametrize(("grid", "table", "count"), TABLES)
def test_every_stated_number_of_the_result_tables_is_claimed(
    track: Track, grid: str, table: dict[str, tuple[float | None, ...]], count: int
) -> None:
    stated = {(m, n): v for n, row in table.items() for m, v in zip(MAGNITUDES, row, strict=True) if v is not None}
    assert len(stated) == count
    missing = []
    for (magnitude, name), value in stated.items():
        # sigma_median and schur_median stand as whole columns in claims on their slope and range
        family = {f"{grid}/{magnitude}/{name}", f"{grid}/sigma_snr_slope", f"{grid}/schur_range"}
        family |= {f"{grid}/{m}/{name}" for m in MAGNITUDES}
        owners = [c for c in track.claims if c.evidence and family & set(c.evidence.addresses)]
        if not any(value in _numbers(claim) for claim in owners):
            missing.append(f"{grid}/{magnitude}/{name} = {value}")
    assert not missing


def test_claims_on_one_table_entry_test_that_entry(track: Track) -> None:
    """Controls (C-K-*) and the points that figures misplace (C-R8-*) are there to test another number."""
    stated = {
        f"{grid}/{magnitude}/{name}": value
        for grid, table, _ in TABLES
        for name, row in table.items()
        for magnitude, value in zip(MAGNITUDES, row, strict=True)
    }
    tested = 0
    for claim in track.claims:
        if claim.kind == "value" and claim.evidence and not claim.id.startswith(("C-K-", "C-R8-")):
            expected = stated.get(claim.evidence.addresses[0])
            if expected is not None:
                assert claim.reading and claim.reading.value and claim.reading.value.value == expected, claim.id
                tested += 1
    assert tested >= 30


def test_rows_of_the_readme_are_all_there_and_flagged_where_they_contradict(claims: dict[str, Claim]) -> None:
    rows = {n: [c for i, c in claims.items() if re.fullmatch(rf"C-R{n}(-.*)?", i)] for n in range(1, 17)}
    assert all(rows.values())
    flagged = {n for n, found in rows.items() if any(c.contradicts_itself for c in found)}
    assert flagged == set(range(1, 17)) - {9}  # R9, the Schur complement itself, is consistent
    assert not claims["C-R12-2.0"].contradicts_itself  # noise 2.0 does correspond to magnitude 22 and fainter


def test_derived_controls_and_orderings_are_not_flagged_by_their_own_digits(track: Track) -> None:
    """Rounded, derived and per-magnitude numbers of one source must not look like a disagreement."""
    assert not [c.id for c in track.claims if c.contradicts_itself and c.contradiction is None]


def test_log_rows_are_all_covered(claims: dict[str, Claim]) -> None:
    text = (ROOT / "tracks" / "trackC" / "README.md").read_text(encoding="utf-8")
    for n in range(1, 46):
        named = any(re.fullmatch(rf"C-L{n}(-.*)?", i) for i in claims)
        assert named or re.search(rf"\bL{n}\b", text.split("## Rows and ids")[1]), f"L{n}"


def test_every_id_in_the_readme_of_the_track_exists(claims: dict[str, Claim]) -> None:
    text = (ROOT / "tracks" / "trackC" / "README.md").read_text(encoding="utf-8").replace("\\*", "*")
    ids = re.findall(r"\bC-[A-Z][\w.]*(?:-(?:[\w.]+|\*))*", text)
    assert len(ids) > 60
    assert not [i for i in ids if not any(fnmatch(known, i.rstrip(".")) for known in claims)]


@pytest.mark.parametrize("source", ["bosz", "lte"])
def test_published_numbers_reproduce_what_they_support_and_refute_what_they_contradict(
    track: Track, source: str
) -> None:
    """The margins, the wider ones too, tell the contradictions apart."""
    evidence = _published(source)
    words = {claim.id: judge(claim, evidence).word for claim in _answered(track, evidence)}
    assert {i for i, word in words.items() if word == "NOT REPRODUCED"} == REFUTED
    assert sum(word == "REPRODUCED" for word in words.values()) >= 40
    assert not [i for i, word in words.items() if word == "INCONCLUSIVE"]
    comparable = {"C-K-schur-min"} if source == "lte" else set()
    assert {i for i, word in words.items() if word == "NOT COMPARABLE"} == comparable


def test_published_numbers_at_another_noise_level_are_not_comparable(track: Track) -> None:
    content = _published("bosz")
    louder = {a: {"value": v.estimate.mean} for a, v in content.values.items() if v.estimate}
    conditions = {"scale": "ci", "noise": 2.0, "source": "bosz", "grid": "3D"}
    evidence = parse_evidence(
        {"schema": 1, "track": "trackC", "conditions": conditions, "dependencies": {}, "values": louder}, "trackC", "x"
    )
    words = {claim.id: judge(claim, evidence).word for claim in _answered(track, evidence)}
    assert set(words.values()) == {"NOT COMPARABLE"} and len(words) >= 60


def test_margins_are_separated_from_what_they_must_tell_apart(claims: dict[str, Claim]) -> None:
    """The widest margin of the headline excludes the aggregate, and that of the Schur ratio its 5D value."""
    headline, schur = claims["C-R2"], claims["C-R6"]
    assert headline.other_source and 0.8914 - headline.other_source.around(0.8914) > 0.737
    assert schur.other_source and 0.6906 - schur.other_source.around(0.6906) > 0.5778


def test_the_citation_file_names_the_released_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["title"].startswith("stellar-repro") and str(citation["version"]) == repro.__version__
    assert all({"type", "title", "authors"} <= set(reference) for reference in citation["references"])
