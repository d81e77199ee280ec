"""Numbers and verdicts in plain words."""

import math

from repro.claims.claim import Claim, Margin, decimals
from repro.claims.estimate import Estimate
from repro.claims.located import Scalar


def number(value: float, places: int = 4) -> str:
    """`value` with `places` decimals; whole numbers plain, very large or small ones with four digits."""
    if value == 0 or (value == round(value) and 100 <= abs(value) < 1e9):
        return f"{value:.0f}"
    if not 10.0 ** (-places) <= abs(value) < 1e6:
        return f"{value:.4g}"
    return f"{value:.{places}f}"


def signed(value: float, places: int) -> str:
    """As `number`, always with its sign."""
    return ("+" if value >= 0 else "") + number(value, places)


def size(value: float) -> str:
    """A margin or a distance: up to three digits."""
    return f"{value:.3g}"


def places_for(claim: Claim, margin: float = 0.0) -> int:
    """Decimals that show a measured value as finely as the claimed one and its margin."""
    printed = []
    if claim.reading and claim.reading.value:
        printed.append(decimals(claim.reading.value))
    if claim.bounds:
        printed += [decimals(limit) + 2 for limit in (claim.bounds.at_least, claim.bounds.at_most) if limit]
    if margin > 0:
        printed.append(1 - math.floor(math.log10(margin)))
    return min(max(printed, default=4), 8)


def with_interval(estimate: Estimate, places: int) -> str:
    """'0.8914 +- 0.0020': the measured value, with its interval if it has one."""
    half = estimate.half_width
    return number(estimate.mean, places) + (f" ± {number(half, places)}" if 0 < half < math.inf else "")


def measured(estimate: Estimate, claim: Claim, places: int) -> str:
    """As `with_interval`, with the unit and the number of runs."""
    runs = f" ({plural(estimate.runs, 'run')})" if estimate.seeded else ""
    return with_interval(estimate, places) + unit(claim) + runs


def claimed(claim: Claim, margin: Margin | None = None) -> str:
    """What a claim says, as short as a table column: '0.8742 ± 0.01', '≥ 0.75', 'rises'."""
    if claim.bounds:
        low, high = claim.bounds.at_least, claim.bounds.at_most
        if low and high:
            return f"{low.text} … {high.text}{unit(claim)}"
        return (f"≥ {low.text}" if low else f"≤ {high.text}" if high else "") + unit(claim)
    if claim.relation:
        return "rises" if claim.relation == "increasing" else "falls"
    margin = margin or claim.tolerance
    if claim.reading and claim.reading.value and margin:
        return f"{claim.reading.value.text} ± {size(margin.around(claim.reading.value.value))}{unit(claim)}"
    if claim.kind == "identity" and margin:
        if margin.absolute is None:
            return f"equal ± {100 * (margin.relative or 0.0):g} %"
        return f"equal ± {size(margin.absolute)}{unit(claim)}"
    return _printed_by_sources(claim)


def margins(distance: float, margin: float) -> str:
    """'0.6 of the margin', 'twice the margin', '3.9 times the margin'."""
    if margin == 0:
        return "and the margin is zero"
    times = abs(distance) / margin
    if times < 1:
        return f"{times:.2g} of the margin"
    if abs(times - 2) < 0.05:
        return "twice the margin"
    return f"{times:.2g} times the margin" if times < 100 else f"{times:.0f} times the margin"


def mismatch(name: str, found: Scalar | None, needed: Scalar) -> str:
    """'grid is 3D, the claim needs 5D' for one condition."""
    if found is None:
        return f"the evidence does not state {name}, the claim needs {plain(needed)}"
    return f"{name} is {plain(found)}, the claim needs {plain(needed)}"


def plain(value: Scalar) -> str:
    """A condition's value as a reader writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, float) else str(value)


def plural(count: int, noun: str) -> str:
    """'1 run', '3 runs'."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def unit(claim: Claim) -> str:
    """The claim's unit with a space before it, or nothing."""
    return f" {claim.unit}" if claim.unit else ""


def _printed_by_sources(claim: Claim) -> str:
    """The first source's own value, for claims judged elsewhere or not at all."""
    for source in claim.sources:
        if isinstance(source.value, str):
            return source.value
        if source.value is not None and not isinstance(source.value, tuple):
            return source.value.text + unit(claim)
    return "–"
