"""What a claim is: the data that `tracks/trackX/claims.yaml` holds, after validation."""

from dataclasses import dataclass, field

from repro.claims.located import Printed, Scalar

KINDS = ("value", "ordering", "bound", "share", "identity", "resource", "priority")
NOISE = 1.0  # the papers' own noise level; a claim at another one says so in conditions.required


@dataclass(frozen=True)
class Source:
    """One place in the documents, with the value it gives: a number, a list of numbers, a text, or nothing."""

    where: str
    value: Printed | tuple[Printed, ...] | str | None = None
    note: str | None = None


@dataclass(frozen=True)
class Reading:
    """Which of the sources' values is tested (None for kinds without one), and why."""

    value: Printed | None
    why: str


@dataclass(frozen=True)
class Margin:
    """An equivalence margin: absolute, or relative to the claimed value."""

    why: str
    absolute: float | None = None
    relative: float | None = None

    def around(self, value: float) -> float:
        """The margin in the units of `value`."""
        return self.absolute if self.absolute is not None else (self.relative or 0.0) * abs(value)


@dataclass(frozen=True)
class Formula:
    """Where the measured number comes from.

    `form` is "value" (one address), "ratio" (numerator, denominator), "difference" (first minus second)
    or "list" (the terms of an ordering or an identity).
    """

    form: str
    addresses: tuple[str, ...]


@dataclass(frozen=True)
class Bounds:
    """A claimed lower and/or upper bound."""

    at_least: Printed | None = None
    at_most: Printed | None = None


@dataclass(frozen=True)
class Claim:
    """One checkable statement. Fields that its kind does not use are None or empty."""

    track: str
    id: str
    statement: str
    kind: str
    sources: tuple[Source, ...]
    file: str
    line: int
    reading: Reading | None = None
    required: dict[str, Scalar] = field(default_factory=dict)
    stated: dict[str, Scalar] = field(default_factory=dict)
    tolerance: Margin | None = None
    step: float = 0.0  # an ordering's steps must be larger than this
    other_source: Margin | None = None
    evidence: Formula | None = None
    relation: str | None = None
    bounds: Bounds | None = None
    downsized: "Claim | None" = None
    weaker_than: str | None = None  # the id of the claim this one is the downsized form of
    control: str | None = None
    same_as: str | None = None
    contradiction: str | None = None
    decided_by: str | None = None
    unit: str = ""

    @property
    def place(self) -> str:
        """File and line, as error messages show them."""
        return f"{self.file}, line {self.line}: claim {self.id}"

    @property
    def contradicts_itself(self) -> bool:
        """Whether the documents disagree: said in `contradiction`, or seen in their numbers."""
        if self.weaker_than:  # has the sources of the claim it is the downsized form of
            return False
        return self.contradiction is not None or bool(disagreements(self.sources))


@dataclass(frozen=True)
class Track:
    """The claims of one track."""

    name: str
    title: str
    file: str
    claims: tuple[Claim, ...]


@dataclass(frozen=True)
class Registry:
    """All claims of all tracks; ids are unique over the tracks."""

    tracks: dict[str, Track]

    @property
    def by_id(self) -> dict[str, Claim]:
        """Every claim, downsized ones included, by id."""
        found: dict[str, Claim] = {}
        for track in self.tracks.values():
            for claim in track.claims:
                found[claim.id] = claim
                if claim.downsized:
                    found[claim.downsized.id] = claim.downsized
        return found


def disagreements(sources: tuple[Source, ...]) -> list[tuple[Source, Source]]:
    """Pairs of sources whose numbers differ by more than rounding to the fewer printed digits explains."""
    pairs = []
    for i, first in enumerate(sources):
        for second in sources[i + 1 :]:
            if not _agree(_numbers(first), _numbers(second)):
                pairs.append((first, second))
    return pairs


def same_printed(first: Printed, second: Printed) -> bool:
    """Whether two printed numbers may be one number: equal once rounded to the fewer digits of the two."""
    unit = 10.0 ** -min(decimals(first), decimals(second))
    return abs(first.value - second.value) <= 0.5 * unit * (1 + 1e-9)


def decimals(number: Printed) -> int:
    """Digits after the point; of 1.2e-3 that is 4. A whole number counts as exact to the unit."""
    mantissa, _, exponent = number.text.lower().partition("e")
    return max(len(mantissa.partition(".")[2]) - int(exponent or 0), 0)


def _numbers(source: Source) -> tuple[Printed, ...]:
    if isinstance(source.value, Printed):
        return (source.value,)
    return source.value if isinstance(source.value, tuple) else ()


def _agree(first: tuple[Printed, ...], second: tuple[Printed, ...]) -> bool:
    return len(first) != len(second) or all(map(same_printed, first, second))
