"""Verdicts of whole tracks: judging, counting, the exit code, and the files that hold them."""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from repro.claims.claim import Claim, Registry, Track
from repro.claims.evidence import Evidence, read_evidence, read_json
from repro.claims.located import did_you_mean
from repro.claims.registry import read_registry
from repro.claims.verdict import FLAG, JUDGED, NOTHING_RUN, WORDS, Verdict, judge
from repro.errors import ClaimError
from repro.files import atomic_path

SCHEMA = 1
ACCEPTED = "verdicts.json"
EvidenceReader = Callable[[Path, str], Evidence | None]


def find_root(start: str | Path = ".") -> Path:
    """The project's folder: the nearest one at or above `start` that holds tracks/.

    Raises:
        ClaimError: there is none.
    """
    here = Path(start).resolve()
    for folder in (here, *here.parents):
        if (folder / "tracks").is_dir():
            return folder
    raise ClaimError(f"{here}: neither here nor above is a folder tracks/; run this inside the repository")


def select_tracks(registry: Registry, names: Sequence[str]) -> list[Track]:
    """The named tracks, or all.

    Raises:
        ClaimError: a name is no track that has claims.
    """
    known = list(registry.tracks)
    for name in names:
        if name not in known:
            hint = did_you_mean(name, known)
            raise ClaimError(f"no track '{name}'{hint}; tracks with claims: {', '.join(known) or 'none'}")
    return [registry.tracks[name] for name in dict.fromkeys(names)] or list(registry.tracks.values())


def find_claim(registry: Registry, name: str) -> Claim:
    """The claim with this id.

    Raises:
        ClaimError: there is none; the message names the nearest.
    """
    claims = registry.by_id
    if name not in claims:
        raise ClaimError(f"no claim '{name}'{did_you_mean(name, list(claims))}; `repro claims` lists them")
    return claims[name]


def judge_tracks(
    root: Path,
    registry: Registry,
    tracks: Iterable[Track],
    reader: EvidenceReader = read_evidence,
    absent: str = NOTHING_RUN,
) -> list[Verdict]:
    """Judge every claim of `tracks`, in the order of their registries.

    The downsized form of a claim follows it, and is judged as long as there is no evidence beyond scale ci.

    Args:
        root: the project's folder.
        registry: all tracks, where `same_as` finds the owning claim.
        tracks: the tracks to judge.
        reader: gives a track's evidence; each track is read once.
        absent: what to say of a track without evidence, see `judge`.

    Raises:
        ClaimError: evidence breaks its format, or a claim names an unknown value.
    """
    evidence: dict[str, Evidence | None] = {}

    def evidence_of(track: str) -> Evidence | None:
        if track not in evidence:
            evidence[track] = reader(root, track)
        return evidence[track]

    verdicts = []
    for track in tracks:
        own = evidence_of(track.name)
        for claim in track.claims:
            verdicts.append(judge_claim(registry, claim, evidence_of, absent))
            if claim.downsized and (own is None or own.scale == "ci"):
                verdicts.append(judge(claim.downsized, own, absent))
    return verdicts


def judge_claim(
    registry: Registry, claim: Claim, evidence_of: Callable[[str], Evidence | None], absent: str = NOTHING_RUN
) -> Verdict:
    """Judge one claim; one that repeats another takes over the verdict of its owner.

    Raises:
        ClaimError: evidence breaks its format, or the claim names an unknown value.
    """
    if claim.same_as is None:
        return judge(claim, evidence_of(claim.track), absent)
    owner = registry.by_id[claim.same_as]
    owned = judge(owner, evidence_of(owner.track), absent)
    return replace(owned, claim=claim, reason=f"same as {owner.id}: {owned.reason}")


def counts(verdicts: Sequence[Verdict]) -> dict[str, int]:
    """How many verdicts of each word, in the order of `WORDS`."""
    return {word: sum(v.word == word for v in verdicts) for word in WORDS}


def exit_code(verdicts: Sequence[Verdict], *, strict: bool = False) -> int:
    """0 if nothing is NOT REPRODUCED, else 1; strict: what could not be decided or compared or run fails too."""
    failing = {"NOT REPRODUCED"} | ({"INCONCLUSIVE", "NOT RUN", "NOT COMPARABLE"} if strict else set())
    return int(any(v.word in failing for v in verdicts))


def as_json(verdict: Verdict) -> dict[str, Any]:
    """One verdict as plain data."""
    claim = verdict.claim
    return {
        "id": claim.id,
        "track": claim.track,
        "kind": claim.kind,
        "statement": claim.statement,
        "claimed": verdict.claimed,
        "measured": verdict.measured,
        "half_width": verdict.half_width,
        "runs": verdict.runs,
        "verdict": verdict.word,
        "stale": verdict.stale,
        "reason": verdict.reason,
        "source_contradicts_itself": claim.contradicts_itself,
        "source": verdict.source,
        "scale": verdict.scale,
        "downsized_from": claim.weaker_than,
        "control": claim.control,
        "same_as": claim.same_as,
    }


def summary(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """Counts of a list of verdicts as plain data."""
    return {
        "judged": sum(v.word in JUDGED for v in verdicts),
        "total": len(verdicts),
        "counts": counts(verdicts),
        FLAG.lower().replace(" ", "_"): sum(v.claim.contradicts_itself for v in verdicts),
    }


def write_verdicts(track: str, path: str | Path, root: str | Path = ".") -> list[Verdict]:
    """Judge one track and write its verdicts as JSON; the same registry and evidence give the same bytes.

    Meant for the track's terminal stage: DVC has just made the evidence, so dvc.lock is not consulted. Claims that
    refer to an owning claim are left to its track, so that nothing but this track's evidence enters.

    Raises:
        ClaimError: no claims or no evidence for this track, or one of them breaks its format.
    """
    root = Path(root)
    registry = read_registry(root)
    (chosen,) = select_tracks(registry, [track])
    if _unlocked(root, track) is None:
        raise ClaimError(f"results/{track}/evidence.json: no such file; the stage that writes it must run first")
    own = replace(chosen, claims=tuple(claim for claim in chosen.claims if claim.same_as is None))
    verdicts = judge_tracks(root, registry, [own], _unlocked)
    data = {"schema": SCHEMA, "track": track, **summary(verdicts), "verdicts": [as_json(v) for v in verdicts]}
    _write_json(Path(path), data)
    return verdicts


def read_accepted(root: Path, track: str) -> dict[str, str]:
    """The accepted verdicts of a track: claim id -> verdict.

    Raises:
        ClaimError: the file is absent or is not what `repro accept` writes.
    """
    shown = f"tracks/{track}/{ACCEPTED}"
    path = root / shown
    if not path.exists():
        raise ClaimError(f"{shown}: no such file; `repro accept {track}` writes it")
    data = read_json(path, shown)
    verdicts = data.get("verdicts") if isinstance(data, dict) and data.get("track") == track else None
    if not isinstance(verdicts, dict) or not all(word in WORDS for word in verdicts.values()):
        raise ClaimError(f"{shown}: must hold schema, track and verdicts (claim id: verdict), as `repro accept` writes")
    return verdicts


def compare_accepted(root: Path, tracks: Iterable[Track], verdicts: Sequence[Verdict]) -> list[str]:
    """What differs between verdicts and the accepted ones of their tracks, one line a claim.

    Raises:
        ClaimError: a track has no readable accepted verdicts.
    """
    return [
        line
        for track in tracks
        for line in changed(read_accepted(root, track.name), [v for v in verdicts if v.claim.track == track.name])
    ]


def accept(root: Path, track: str, verdicts: Sequence[Verdict]) -> list[str] | None:
    """Write a track's verdicts as the accepted ones.

    Returns:
        What changed, one line a claim; None where there were no accepted verdicts before.

    Raises:
        ClaimError: the evidence is stale, so these are no verdicts worth accepting.
    """
    stale = next((v for v in verdicts if v.stale), None)
    if stale:
        raise ClaimError(f"{track}: {stale.reason}. Nothing was accepted.")
    path = root / "tracks" / track / ACCEPTED
    changes = changed(read_accepted(root, track), verdicts) if path.exists() else None
    if changes != []:
        accepted = {v.claim.id: v.word for v in _owned(verdicts)}
        _write_json(path, {"schema": SCHEMA, "track": track, "verdicts": accepted})
    return changes


def changed(before: dict[str, str], verdicts: Sequence[Verdict]) -> list[str]:
    """How verdicts differ from accepted ones, one line a claim: 'C-R1: REPRODUCED -> NOT RUN'."""
    now = {v.claim.id: v.label for v in _owned(verdicts)}
    ids = [*now, *(name for name in before if name not in now)]
    return [
        f"{name}: {before.get(name, '(not judged)')} -> {now.get(name, '(not judged)')}"
        for name in ids
        if before.get(name) != now.get(name)
    ]


def _owned(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Without the claims that another claim owns: those follow their owner."""
    return [v for v in verdicts if v.claim.same_as is None]


def _unlocked(root: Path, track: str) -> Evidence | None:
    return read_evidence(root, track, check_lock=False)


def _write_json(path: Path, data: Any) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
