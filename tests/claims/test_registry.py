"""The registry: what it accepts, and that every mistake is named with file and line."""

from pathlib import Path

import pytest

from repro.claims.claim import Printed, Source, disagreements, same_printed
from repro.claims.registry import read_registry
from repro.errors import ClaimError
from tests.claims.throwaway import Project, claim, ordering

HEAD = "schema: 1\ntrack: trackZ\ntitle: A test\nclaims:\n"
GOOD = """\
  - id: Z-1
    statement: "The score is 0.50."
    kind: value
    sources:
      - {where: "paper", value: 0.50}
    reading: {value: 0.50, why: "printed"}
    tolerance: {absolute: 0.01, why: "digits"}
    evidence: 3D/a
"""
LINES = (HEAD + GOOD).splitlines()


def _edited(old: str, new: str) -> str:
    text = HEAD + GOOD
    assert old in text
    return text.replace(old, new)


BAD = {
    "unknown field": (
        _edited("    tolerance:", "    tolerence:"),
        11,
        "unknown field 'tolerence' (did you mean 'tolerance'?)",
    ),
    "unknown field in a source": (_edited("{where: ", "{were: "), 9, "unknown field 'were'"),
    "unknown kind": (_edited("kind: value", "kind: valve"), 7, "did you mean 'value'?"),
    "missing sources": (
        _edited('    sources:\n      - {where: "paper", value: 0.50}\n', ""),
        5,
        "missing field 'sources'",
    ),
    "empty sources": (
        _edited('sources:\n      - {where: "paper", value: 0.50}', "sources: []"),
        8,
        "at least one entry",
    ),
    "missing tolerance": (
        _edited('    tolerance: {absolute: 0.01, why: "digits"}\n', ""),
        5,
        "missing field 'tolerance'",
    ),
    "missing why": (_edited(', why: "digits"', ""), 11, "missing field 'why'"),
    "missing reading": (_edited('    reading: {value: 0.50, why: "printed"}\n', ""), 5, "missing field 'reading'"),
    "missing evidence": (_edited("    evidence: 3D/a\n", ""), 5, "missing field 'evidence'"),
    "missing statement": (_edited('    statement: "The score is 0.50."\n', ""), 5, "missing field 'statement'"),
    "text for a number": (_edited("absolute: 0.01", "absolute: small"), 11, "must be a finite number, found 'small'"),
    "nan": (_edited("absolute: 0.01", "absolute: nan"), 11, "must be a finite number, found 'nan'"),
    "negative margin": (_edited("absolute: 0.01", "absolute: -0.01"), 11, "must not be negative"),
    "two margins": (_edited("absolute: 0.01", "absolute: 0.01, relative: 0.1"), 11, "either 'absolute' or 'relative'"),
    "number for a text": (_edited('"The score is 0.50."', "7"), 6, "'statement' must be text"),
    "list for a mapping": (_edited('{value: 0.50, why: "printed"}', "[1, 2]"), 10, "expected fields"),
    "value in no source": (
        _edited("reading: {value: 0.50", "reading: {value: 0.51"),
        10,
        "not among the values of the sources",
    ),
    "bad address": (_edited("evidence: 3D/a", "evidence: 3D//a"), 12, "'3D//a' is no evidence address"),
    "address with a space": (_edited("evidence: 3D/a", "evidence: 3D/a b"), 12, "is no evidence address"),
    "half a ratio": (_edited("evidence: 3D/a", "evidence: {numerator: 3D/a}"), 12, "missing field 'denominator'"),
    "field of another kind": (
        _edited("    evidence:", "    relation: increasing\n    evidence:"),
        12,
        "unknown field 'relation'",
    ),
    "field given twice": (_edited("    evidence:", "    kind: value\n    evidence:"), 12, "given twice"),
    "duplicate id": (HEAD + GOOD + GOOD, 13, "the id is taken already, in tracks/trackZ/claims.yaml, line 5"),
    "dangling control": (_edited("    evidence:", "    control: Z-9\n    evidence:"), 5, "control names 'Z-9'"),
    "control is itself": (_edited("    evidence:", "    control: Z-1\n    evidence:"), 5, "names the claim itself"),
    "id with a space": (_edited("id: Z-1", "id: Z 1"), 5, "may hold only"),
    "no YAML": (_edited("kind: value", "kind: [value"), None, "not valid YAML"),
    "wrong schema": (_edited("schema: 1", "schema: 2"), 1, "schema must be 1"),
    "unknown top field": (_edited("title: A test", "titel: A test"), 3, "unknown field 'titel'"),
    "wider is narrower": (
        _edited("    evidence:", '    other_source: {absolute: 0.001, why: "x"}\n    evidence:'),
        12,
        "at least as wide",
    ),
    "downsized to a band of values": (
        _edited(
            "    evidence:", "    downsized: {id: Z-1-ci, statement: s, kind: value, evidence: 3D/a}\n    evidence:"
        ),
        12,
        "allowed: ordering, bound, identity",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_mistake_is_named_with_file_and_line(project: Project, name: str) -> None:
    text, line, words = BAD[name]
    project.claims_text(text)
    with pytest.raises(ClaimError) as error:
        read_registry(project.root)
    message = str(error.value)
    assert words in message
    assert message.startswith("tracks/trackZ/claims.yaml, line")
    if line is not None:
        assert f"line {line}:" in message
    assert "\n" not in message


def test_good_registry_is_read_as_written(project: Project) -> None:
    project.claims_text(HEAD + GOOD)
    (one,) = read_registry(project.root).tracks["trackZ"].claims
    assert one.reading is not None
    assert one.reading.value == Printed(0.5, "0.50")
    assert one.evidence is not None
    assert one.evidence.addresses == ("3D/a",)
    assert one.required == {"noise": 1.0}
    assert (one.line, LINES[one.line - 1].strip()) == (5, "- id: Z-1")


def test_claims_of_the_project_are_sound(project_root: Path) -> None:
    registry = read_registry(project_root)
    assert len(registry.by_id) >= 40


def test_ids_are_unique_over_tracks(project: Project) -> None:
    project.claims(claim("Z-1"))
    project.claims(claim("Z-1"), track="trackY")
    with pytest.raises(ClaimError, match=r"trackZ/claims.yaml, line 5: claim Z-1: .* in tracks/trackY/claims.yaml"):
        read_registry(project.root)


def test_downsized_ids_count_too(project: Project) -> None:
    smaller = {"id": "Z-2", "statement": "s", "kind": "bound", "bound": {"at_least": 0}, "evidence": "3D/a"}
    project.claims(claim("Z-1", downsized=smaller), claim("Z-2"))
    with pytest.raises(ClaimError, match="claim Z-2: the id is taken"):
        read_registry(project.root)


def test_folder_and_track_name_must_agree(project: Project) -> None:
    path = project.claims(claim(), track="trackY")
    path.write_text(path.read_text().replace("trackY", "trackZ"))
    with pytest.raises(ClaimError, match="the folder is trackY"):
        read_registry(project.root)


def test_same_as_names_the_owner_and_needs_no_evidence(project: Project) -> None:
    repeat = {"id": "Z-2", "statement": "s", "kind": "value", "sources": [{"where": "README"}], "same_as": "Z-1"}
    project.claims(claim("Z-1"), repeat)
    assert read_registry(project.root).by_id["Z-2"].evidence is None
    project.claims(claim("Z-1"), repeat, repeat | {"id": "Z-3", "same_as": "Z-2"})
    with pytest.raises(ClaimError, match="must name the owning claim"):
        read_registry(project.root)
    project.claims(claim("Z-1"), repeat | {"evidence": "3D/a"})
    with pytest.raises(ClaimError, match="unknown field 'evidence'"):
        read_registry(project.root)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"relation": None}, "missing field 'relation'"),
        ({"relation": "up"}, "allowed: increasing, decreasing"),
        ({"evidence": ["3D/a"]}, "lists two or more addresses"),
        ({"tolerance": {"absolute": 0.1, "why": "x"}}, "unknown field 'absolute'"),
        ({"bound": {"at_least": 1}}, "unknown field 'bound'"),
    ],
)
def test_orderings_are_checked(project: Project, fields: dict, words: str) -> None:
    project.claims(ordering(**fields))
    with pytest.raises(ClaimError, match=words):
        read_registry(project.root)


@pytest.mark.parametrize(
    ("bound", "words"),
    [({}, "give 'at_least'"), ({"at_least": 2, "at_most": 1}, "larger than"), ({"least": 1}, "unknown field 'least'")],
)
def test_bounds_are_checked(project: Project, bound: dict, words: str) -> None:
    project.claims(claim(kind="bound", reading=None, tolerance=None, bound=bound))
    with pytest.raises(ClaimError, match=words):
        read_registry(project.root)


@pytest.mark.parametrize(
    ("first", "second", "agree"),
    [
        ("0.87", "0.8742", True),
        ("0.87", "0.89", False),
        ("0.8742", "0.8743", False),
        ("0.875", "0.88", True),
        ("1260", "1260.4", True),
        ("1260", "1261", False),
        ("2.09e5", "209000", True),
        ("7.45e-3", "0.0075", True),
        ("7.45e-3", "0.0076", False),
        ("-0.56", "-0.6", True),
    ],
)
def test_numbers_agree_up_to_printed_digits(first: str, second: str, agree: bool) -> None:
    a, b = Printed(float(first), first), Printed(float(second), second)
    assert same_printed(a, b) is agree
    assert same_printed(b, a) is agree
    assert bool(disagreements((Source("x", a), Source("y", b)))) is not agree


def test_contradiction_is_flagged_from_numbers_or_words(project: Project) -> None:
    values = [{"where": "README", "value": 0.89}, {"where": "log", "value": 0.5}, {"where": "figure"}]
    project.claims(claim("Z-1", sources=values), claim("Z-2", contradiction="x against y"), claim("Z-3"))
    flags = {name: c.contradicts_itself for name, c in read_registry(project.root).by_id.items()}
    assert flags == {"Z-1": True, "Z-2": True, "Z-3": False}


def test_plain_words_and_numbers_keep_their_type(project: Project) -> None:
    project.claims_text(
        _edited(
            "    evidence:",
            '    conditions: {required: {noise: 2, e: 1e-8, grid: 5D, mask: true, text: "1.0", no: no}}\n    evidence:',
        )
    )
    required = read_registry(project.root).by_id["Z-1"].required
    assert required == {"noise": 2, "e": 1e-8, "grid": "5D", "mask": True, "text": "1.0", "no": "no"}
