"""Reads and checks `tracks/*/claims.yaml`; every complaint names file and line."""

import re
from dataclasses import replace
from pathlib import Path

import yaml

from repro.claims.claim import (
    KINDS,
    NOISE,
    Bounds,
    Claim,
    Formula,
    Margin,
    Reading,
    Registry,
    Source,
    Track,
)
from repro.claims.located import Mapping, Printed, did_you_mean, is_number, read_mapping, scalar
from repro.errors import ClaimError

SCHEMA = 1
_TOP = ("schema", "track", "title", "claims")
_TEXT = ("id", "statement", "kind", "reading", "conditions", "unit")
_COMMON = (*_TEXT, "sources", "contradiction", "same_as", "decided_by")
_MEASURED = ("tolerance", "evidence", "downsized", "control")
_EXTRA = {
    "value": ("other_source",),
    "share": ("other_source",),
    "resource": ("other_source", "bound"),
    "ordering": ("relation",),
    "bound": ("bound",),
    "identity": (),
}
_DOWNSIZED = (*_TEXT, "evidence", "tolerance")
_DOWNSIZED_KINDS = ("ordering", "bound", "identity")  # a value would be a band taken from our own runs
_ADDRESS = re.compile(r"[\w.+=-]+(/[\w.+=-]+)*")


def read_registry(root: str | Path) -> Registry:
    """Read every `tracks/track*/claims.yaml` below `root`.

    Raises:
        ClaimError: a file breaks the schema, an id is given twice (also in two tracks), or `control` or `same_as`
            names no claim. The message holds file and line.
    """
    root = Path(root)
    files = sorted(root.glob("tracks/track*/claims.yaml"))
    tracks = [read_track(path, str(path.relative_to(root))) for path in files]
    for path, track in zip(files, tracks, strict=True):
        if track.name != path.parent.name:
            raise ClaimError(f"{track.file}: track is '{track.name}', but the folder is {path.parent.name}")
    registry = Registry({track.name: track for track in tracks})
    _check_ids(tracks)
    _check_references(registry)
    return registry


def read_track(path: Path, shown: str | None = None) -> Track:
    """Read one claims.yaml, without the checks that need the other tracks.

    Raises:
        ClaimError: the file breaks the schema; the message holds file and line.
    """
    top = read_mapping(path, shown or str(path))
    top.only(_TOP)
    top.need(_TOP)
    if top.number("schema").value != SCHEMA:
        top.fail(f"schema must be {SCHEMA}", "schema")
    name = top.text("track")
    claims = tuple(_read_claim(node, top.file, name) for node in top.sequence("claims"))
    return Track(name, top.text("title"), top.file, claims)


def _read_claim(node: yaml.Node, file: str, track: str) -> Claim:
    fields = Mapping(node, file, "claim")
    fields.context = f"claim {_identifier(fields)}"
    kind = fields.choice("kind", KINDS)
    measured = kind != "priority" and "same_as" not in fields
    fields.only((*_COMMON, *_MEASURED, *_EXTRA[kind]) if measured else _COMMON)
    sources = tuple(_read_source(entry, fields) for entry in fields.sequence("sources"))
    return replace(
        _build(fields, track, kind, sources, measured),
        other_source=_wider(fields),
        downsized=_downsized(fields, track, sources) if "downsized" in fields else None,
        control=fields.optional_text("control"),
        same_as=fields.optional_text("same_as"),
        contradiction=fields.optional_text("contradiction"),
        decided_by=fields.optional_text("decided_by"),
    )


def _downsized(parent: Mapping, track: str, sources: tuple[Source, ...]) -> Claim:
    fields = parent.mapping("downsized")
    fields.context = f"claim {_identifier(fields)}"
    kind = fields.choice("kind", _DOWNSIZED_KINDS)
    fields.only((*_DOWNSIZED, *_EXTRA[kind]))
    claim = _build(fields, track, kind, sources, measured=True)
    return replace(claim, weaker_than=parent.text("id"), decided_by=parent.optional_text("decided_by"))


def _build(fields: Mapping, track: str, kind: str, sources: tuple[Source, ...], measured: bool) -> Claim:
    if measured:
        _need_measured(fields, kind)
    required, stated = _conditions(fields)
    ordering = kind == "ordering"
    return Claim(
        track=track,
        id=fields.text("id"),
        statement=fields.text("statement"),
        kind=kind,
        sources=sources,
        file=fields.file,
        line=fields.line,
        reading=_reading(fields, kind, sources, measured),
        required=required,
        stated=stated,
        tolerance=None if ordering else _margin(fields, "tolerance"),
        step=_step(fields) if ordering else 0.0,
        evidence=_formula(fields, kind) if measured else None,
        relation=fields.choice("relation", ("increasing", "decreasing")) if "relation" in fields else None,
        bounds=_bounds(fields),
        unit=fields.optional_text("unit") or "",
    )


def _identifier(fields: Mapping) -> str:
    name = fields.text("id")
    if not re.fullmatch(r"[\w.+-]+", name):
        fields.fail(f"id '{name}' may hold only letters, digits and . _ + -", "id")
    return name


def _need_measured(fields: Mapping, kind: str) -> None:
    fields.need(["evidence"])
    if kind == "ordering":
        fields.need(["relation"], " (an ordering is increasing or decreasing)")
    elif kind == "bound":
        fields.need(["bound"], " (for example bound: {at_least: 0.75})")
    elif kind == "resource" and "bound" in fields:
        return
    elif kind == "identity":
        fields.need(["tolerance"], " (the numerical tolerance of the identity, with its why)")
    else:
        fields.need(["tolerance"], " (absolute or relative, with its why)")
        fields.need(["reading"], " (which value is tested, and why)")


def _read_source(node: yaml.Node, claim: Mapping) -> Source:
    fields = Mapping(node, claim.file, f"{claim.context}, sources")
    fields.only(("where", "value", "note"))
    where, note = fields.text("where"), fields.optional_text("note")
    if "value" not in fields:
        return Source(where, None, note)
    value = fields.get("value")
    if isinstance(value, yaml.SequenceNode):
        return Source(where, tuple(_printed(entry, fields) for entry in value.value), note)
    if isinstance(scalar(value), str):
        return Source(where, fields.text("value"), note)
    return Source(where, fields.number("value"), note)


def _printed(node: yaml.Node, fields: Mapping) -> Printed:
    if not is_number(scalar(node)):
        fields.fail("'value' must be a number, a text or a list of numbers", node)
    return Printed(float(node.value), node.value)


def _reading(fields: Mapping, kind: str, sources: tuple[Source, ...], measured: bool) -> Reading | None:
    if "reading" not in fields:
        return None
    inner = fields.mapping("reading")
    tested = measured and (kind in ("value", "share") or (kind == "resource" and "bound" not in fields))
    if not tested:
        inner.only(("why",))
        return Reading(None, inner.text("why"))
    inner.only(("value", "why"))
    value = inner.number("value")
    printed = [s.value for s in sources if isinstance(s.value, Printed)]
    printed += [v for s in sources if isinstance(s.value, tuple) for v in s.value]
    if value.value not in [other.value for other in printed]:
        inner.fail(f"the tested value {value.text} is not among the values of the sources", "value")
    return Reading(value, inner.text("why"))


def _conditions(fields: Mapping) -> tuple[dict[str, str | int | float | bool], dict[str, str | int | float | bool]]:
    if "conditions" not in fields:
        return {"noise": NOISE}, {}
    inner = fields.mapping("conditions")
    inner.only(("required", "stated"))
    return {"noise": NOISE} | inner.scalars("required"), inner.scalars("stated")


def _margin(fields: Mapping, name: str) -> Margin | None:
    if name not in fields:
        return None
    inner = fields.mapping(name)
    inner.only(("absolute", "relative", "why"))
    if ("absolute" in inner) == ("relative" in inner):
        inner.fail("give either 'absolute' or 'relative'")
    unit = "absolute" if "absolute" in inner else "relative"
    size = inner.number(unit).value
    if size < 0:
        inner.fail(f"'{unit}' must not be negative, found {size:g}", unit)
    why = inner.text("why")
    return Margin(why, absolute=size) if unit == "absolute" else Margin(why, relative=size)


def _wider(fields: Mapping) -> Margin | None:
    wide = _margin(fields, "other_source")
    if wide is None or "tolerance" not in fields:
        return wide
    narrow, value = _margin(fields, "tolerance"), fields.mapping("reading").number("value").value
    if narrow and wide.around(value) < narrow.around(value):
        fields.fail("'other_source' must be at least as wide as 'tolerance'", "other_source")
    return wide


def _step(fields: Mapping) -> float:
    if "tolerance" not in fields:
        return 0.0
    inner = fields.mapping("tolerance")
    inner.only(("margin", "why"))
    inner.text("why")
    return inner.number("margin").value


def _bounds(fields: Mapping) -> Bounds | None:
    if "bound" not in fields:
        return None
    inner = fields.mapping("bound")
    inner.only(("at_least", "at_most"))
    if not inner.names():
        inner.fail("give 'at_least', 'at_most' or both")
    bounds = Bounds(*(inner.number(name) if name in inner else None for name in ("at_least", "at_most")))
    if bounds.at_least and bounds.at_most and bounds.at_least.value > bounds.at_most.value:
        inner.fail("'at_least' is larger than 'at_most'", "at_least")
    return bounds


def _formula(fields: Mapping, kind: str) -> Formula:
    node = fields.get("evidence")
    if kind in ("ordering", "identity"):
        entries = fields.sequence("evidence")
        if len(entries) < 2 or (kind == "identity" and len(entries) > 2):
            count = "two" if kind == "identity" else "two or more"
            fields.fail(f"'evidence' of an {kind} lists {count} addresses", "evidence")
        return Formula("list", tuple(_address(entry, fields) for entry in entries))
    if isinstance(node, yaml.ScalarNode):
        return Formula("value", (_address(node, fields),))
    inner = fields.mapping("evidence")
    inner.only(("numerator", "denominator", "difference"))
    if "difference" in inner:
        inner.only(("difference",))
        entries = inner.sequence("difference")
        if len(entries) != 2:
            inner.fail("'difference' lists two addresses: first minus second", "difference")
        return Formula("difference", tuple(_address(entry, inner) for entry in entries))
    inner.need(["numerator", "denominator"])
    return Formula("ratio", tuple(_address(inner.get(name), inner) for name in ("numerator", "denominator")))


def _address(node: yaml.Node, fields: Mapping) -> str:
    text = node.value if isinstance(node, yaml.ScalarNode) else "a list or mapping"
    if not _ADDRESS.fullmatch(text):
        fields.fail(f"'{text}' is no evidence address (like 3D/21.5/r2max_median)", node)
    return str(text)


def _check_ids(tracks: list[Track]) -> None:
    seen: dict[str, Claim] = {}
    for track in tracks:
        for parent in track.claims:
            for claim in filter(None, (parent, parent.downsized)):
                if claim.id in seen:
                    first = seen[claim.id]
                    raise ClaimError(f"{claim.place}: the id is taken already, in {first.file}, line {first.line}")
                seen[claim.id] = claim


def _check_references(registry: Registry) -> None:
    known = registry.by_id
    for claim in known.values():
        for name in ("control", "same_as"):
            target = getattr(claim, name)
            if target is None:
                continue
            if target not in known:
                hint = did_you_mean(target, list(known))
                raise ClaimError(f"{claim.place}: {name} names '{target}', which no track has{hint}")
            if target == claim.id:
                raise ClaimError(f"{claim.place}: {name} names the claim itself")
            if name == "same_as" and known[target].same_as:
                raise ClaimError(f"{claim.place}: same_as must name the owning claim, but {target} refers to another")
