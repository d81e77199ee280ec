"""Evidence on where the transformer looks, under `attention/`.

<where> is `all`, a star class (giants: log g < 2.5, subgiants, dwarfs: >= 3.5) or `star`, the one test star most like
the published one (log g 1.5, SNR 13). <map> is attention, rollout, saliency, grad_input, occlusion, or the Fisher
information on log g, fisher (other labels known) and fisher_marginal (unknown); see `AttentionTable`. <group> is
ca_ii_triplet, na_i, k_i, mg_i, fe_i, paschen, cn or tio.

attention/<where>/<map>/<group>/
    enrichment                   share of the map in the group's windows over their share of the pixels; uniform: 1
    p                            permutation control: the windows are moved around the circle of places (tokens for
                                 attention and rollout, otherwise cells); share of the places with at least as much
    over_untrained               enrichment minus that of the same network before its training (not of occlusion)
  of attention and rollout also
    moved_low, moved_high        95 % interval of the enrichment over the places
    rank                         number of its highest token among the peaks below, from 1
    lead                         its highest token over the highest elsewhere: above 1, the group is the first peak
attention/<where>/<map>/
    effective_share              exp(entropy) over the number of places: 1 where the map is flat
    noise_correlation            rank correlation with the map of the same stars without noise (not of occlusion)
    untrained_correlation        rank correlation with the map of the untrained network (not of occlusion)
    run_correlation              rank correlation with the map of the network trained in another run, where there is one
  of attention and rollout also
    ca_ii_over_na_i              highest token in the windows of the Ca II triplet over that of Na I
    peak<1..6>/{wave,share}      highest local maxima: middle of the token [A, vacuum], share of the map
attention/<where>/agreement/<map>-<map>   rank correlation over the tokens, in the order above
attention/<where>/best_head/<group>/{enrichment,p}   head with the largest enrichment; moved windows choose theirs too
attention/<where>/occluded/<group>/rms    change of the estimate [dex] when the group shows the mean flux
attention/row_sum_{low,high}     least and largest sum of a row of attention weights, of the trained network
"""

from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any, Final

from repro.experiments.attention_table import BY_TOKEN, CLASSES, NOISY, AttentionTable
from repro.scores.attention import EVERY, AttentionScores
from repro.scores.bootstrap import Scored

Item = tuple[str, float | Scored, Mapping[str, Any]]  # address, value, and how its conditions differ

_CONTROLLED: Final = ("attention", "rollout", "saliency", "grad_input")  # known of the untrained network too
_CONTROLS: Final = {"clean": "noise_correlation", "untrained": "untrained_correlation", "another": "run_correlation"}
_PEAKS: Final = 6  # as many as were published
_CALCIUM: Final = "Ca II triplet"
_SODIUM: Final = "Na I"


def attention_items(table: AttentionTable) -> Iterator[Item]:
    """All values of a table, each with its conditions."""
    scores = AttentionScores(table)
    common = {name: table.conditions[name] for name in ("n_train", "level") if name in table.conditions}
    common = {"model": table.model, **common}
    row_sums = table.row_sums[table.variants.index(NOISY)]
    yield "attention/row_sum_low", float(row_sums[0]), common
    yield "attention/row_sum_high", float(row_sums[1]), common
    for where, members in scores.stars.items():
        if not members.any():
            continue
        conditions = {**common, "stars": int(members.sum())}
        for name, value in _values(scores, where):
            yield f"attention/{where}/{name}", value, conditions


def slug(group: str) -> str:
    """A group as part of an address."""
    return group.lower().replace(" ", "_")


def _values(scores: AttentionScores, where: str) -> Iterator[tuple[str, float | Scored]]:
    table = scores.table
    for name in (*table.maps, *table.references):
        for group in table.groups:
            for what, value in _group_values(scores, where, name, group):
                yield f"{name}/{slug(group)}/{what}", value
        for what, value in _map_values(scores, where, name):
            yield f"{name}/{what}", value
    for first, second in combinations((*table.maps, *table.references), 2):
        yield f"agreement/{first}-{second}", scores.agreement(where, first, second)
    for group in table.groups:
        yield f"occluded/{slug(group)}/rms", scores.occluded(where, group)
        if where in (EVERY, *CLASSES):
            enrichment, p = scores.best_head(where, group)
            yield f"best_head/{slug(group)}/enrichment", enrichment
            yield f"best_head/{slug(group)}/p", p


def _group_values(scores: AttentionScores, where: str, name: str, group: str) -> Iterator[tuple[str, float | Scored]]:
    moved = scores.moved(where, name, group)
    yield "enrichment", scores.enrichment(where, name, group)
    yield "p", moved.p
    if name in _CONTROLLED:
        yield "over_untrained", scores.over_untrained(where, name, group)
    if name in BY_TOKEN:
        yield "moved_low", moved.low
        yield "moved_high", moved.high
        yield "rank", float(scores.rank(where, name, group))
        yield "lead", scores.lead(where, name, group)


def _map_values(scores: AttentionScores, where: str, name: str) -> Iterator[tuple[str, float | Scored]]:
    yield "effective_share", scores.effective_share(where, name)
    if name in _CONTROLLED:
        for variant, what in _CONTROLS.items():
            if variant in scores.table.variants:
                yield what, scores.agreement(where, name, name, (NOISY, variant))
    if name in BY_TOKEN:
        if {_CALCIUM, _SODIUM} <= set(scores.table.groups):
            yield "ca_ii_over_na_i", scores.ratio(where, name, _CALCIUM, _SODIUM)
        for number, (wave, share) in enumerate(scores.peaks(where, name, _PEAKS), start=1):
            yield f"peak{number}/wave", wave
            yield f"peak{number}/share", share
