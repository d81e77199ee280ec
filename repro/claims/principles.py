"""Design principles as the claims of Track F judge them, each next to the experiment behind it."""

from collections.abc import Iterator, Sequence
from typing import Final

from repro.claims.verdict import JUDGED, Verdict
from repro.scores.board import Principle

PREFIX: Final = "F-P-"  # of the ids of claims that state a principle


def principles(verdicts: Sequence[Verdict]) -> Iterator[Principle]:
    """One record a principle, in the order of the registry.

    Of a principle with a downsized form that form is shown where it was judged and the principle itself was not.

    Args:
        verdicts: of Track F, as `report.judge_tracks` gives them.
    """
    downsized = {v.claim.weaker_than: v for v in verdicts if v.claim.weaker_than}
    for verdict in verdicts:
        claim = verdict.claim
        if not claim.id.startswith(PREFIX) or claim.weaker_than:
            continue
        weaker = downsized.get(claim.id)
        shown = weaker if weaker and verdict.word not in JUDGED and weaker.word in JUDGED else verdict
        addresses = shown.claim.evidence.addresses if shown.claim.evidence else ()
        yield Principle(
            id=shown.claim.id,
            statement=shown.claim.statement,
            claimed=shown.claimed,
            measured=shown.shown,
            verdict=shown.label,
            reason=shown.reason,
            experiment=", ".join(dict.fromkeys("/".join(address.split("/")[:2]) for address in addresses)),
            evidence=addresses,
        )
