"""The chain behind one verdict, rung by rung: where it holds, where it breaks, what is not known."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from repro.claims import wording
from repro.claims.claim import Claim, Registry, disagreements
from repro.claims.evidence import Evidence, Value, lock_hashes, read_evidence, read_json
from repro.claims.listing import source_value
from repro.claims.report import find_claim, judge_claim
from repro.claims.verdict import Verdict

HOLDS, BREAKS, UNKNOWN = "holds", "breaks", "unknown"


@dataclass(frozen=True)
class Rung:
    """One link of the chain: its name, whether it holds, and what there is to say, line by line."""

    name: str
    state: str
    lines: tuple[str, ...]


def walk(root: Path, registry: Registry, name: str) -> tuple[Verdict, list[Rung]]:
    """The verdict on a claim and the rungs it stands on, from the claim's text to the spread between seeds.

    Raises:
        ClaimError: no such claim, or its registry or evidence cannot be read.
    """
    asked = find_claim(registry, name)
    claim = registry.by_id[asked.same_as] if asked.same_as else asked
    evidence = read_evidence(root, claim.track)
    verdict = judge_claim(registry, asked, lambda track: read_evidence(root, track))
    found = [evidence.find(a) for a in claim.evidence.addresses] if evidence and claim.evidence else []
    values = [value for value in found if value]
    rungs = [_text(asked), _sources(asked), *_tested(claim)]
    if claim.evidence is None:
        return verdict, rungs
    rungs.append(_metric(claim, evidence, values))
    if evidence:
        rungs += [_conditions(claim, evidence, values), _data(root, evidence), _parameters(root, evidence)]
        rungs.append(_environment(root, claim.track))
        rungs.append(_seeds(values))
    rungs += list(_control(root, registry, claim))
    return verdict, rungs


def _text(claim: Claim) -> Rung:
    lines = [claim.statement, f"{claim.kind}, {claim.file} line {claim.line}"]
    if claim.same_as:
        lines.append(f"judged as {claim.same_as}, which owns it")
    if claim.weaker_than:
        lines.append(f"the form of {claim.weaker_than} that must hold at scale ci already")
    return Rung("claim", HOLDS, tuple(lines))


def _sources(claim: Claim) -> Rung:
    lines = []
    for source in claim.sources:
        lines.append(f"{source_value(source)}: {source.where}" + (f" ({source.note})" if source.note else ""))
    if claim.contradiction:
        lines.append(f"contradiction: {claim.contradiction}")
    elif disagreements(claim.sources):
        lines.append("the values differ by more than their printed digits explain")
    return Rung("sources", BREAKS if claim.contradicts_itself else HOLDS, tuple(lines))


def _tested(claim: Claim) -> Iterator[Rung]:
    if claim.reading is None and claim.tolerance is None:
        return
    lines = [f"tested: {wording.claimed(claim)}"]
    if claim.reading:
        lines.append(f"because {claim.reading.why}")
    for name, margin in (("margin", claim.tolerance), ("margin for another source", claim.other_source)):
        if margin:
            relative = f"{100 * (margin.relative or 0):g} %"
            size = wording.size(margin.absolute) if margin.absolute is not None else relative
            lines.append(f"{name} {size}: {margin.why}")
    yield Rung("reading", HOLDS, tuple(lines))


def _metric(claim: Claim, evidence: Evidence | None, values: list[Value]) -> Rung:
    addresses = claim.evidence.addresses if claim.evidence else ()
    if evidence is None:
        return Rung("metric", BREAKS, (f"{', '.join(addresses)}: nothing was run yet (dvc repro {claim.track})",))
    known = {value.address: value for value in values}
    lines = []
    for address in addresses:
        value = known.get(address)
        if value is None:
            lines.append(f"{address}: no value in {evidence.file}")
        elif value.estimate is None:
            lines.append(f"{address}: no value: {value.reason}")
        else:
            lines.append(f"{address} = {wording.with_interval(value.estimate, 6)}")
    whole = len(values) == len(addresses) and all(value.estimate for value in values)
    return Rung("metric", HOLDS if whole else BREAKS, tuple(lines))


def _conditions(claim: Claim, evidence: Evidence, values: list[Value]) -> Rung:
    conditions = values[0].conditions if values else evidence.conditions
    lines = [", ".join(f"{name} {wording.plain(value)}" for name, value in conditions.items())]
    lines += [
        f"{name}: the claim says {wording.plain(said)}, the evidence {wording.plain(conditions.get(name, 'nothing'))}"
        for name, said in {**claim.required, **claim.stated}.items()
        if conditions.get(name) != said
    ]
    broken = any(conditions.get(name) != needed for name, needed in claim.required.items())
    return Rung("conditions", BREAKS if broken else HOLDS, tuple(lines))


def _data(root: Path, evidence: Evidence) -> Rung:
    lock = lock_hashes(root) or {}
    lines = [
        f"{path} md5 {digest}" + ("" if lock.get(path) == digest else f", dvc.lock has {lock.get(path, 'none')}")
        for path, digest in evidence.dependencies.items()
    ]
    if evidence.stale:
        lines.append(f"stale: {evidence.stale}")
    return Rung("data", BREAKS if evidence.stale else HOLDS, tuple(lines))


def _parameters(root: Path, evidence: Evidence) -> Rung:
    """The parameters of the stage that wrote the evidence and of those that wrote the files it names."""
    path = root / "dvc.lock"
    if not path.exists():
        return Rung("parameters", UNKNOWN, ("no dvc.lock",))
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    stages = yaml.load(path.read_text(encoding="utf-8"), Loader=loader).get("stages", {})
    wanted = {evidence.file, *evidence.dependencies}
    lines = []
    for name, stage in stages.items():
        if wanted & {out["path"] for out in stage.get("outs", [])}:
            values = {k: v for file in stage.get("params", {}).values() for k, v in file.items()}
            lines.append(f"{name}: " + (", ".join(f"{k}={v}" for k, v in values.items()) or "no parameters"))
    return Rung("parameters", HOLDS if lines else UNKNOWN, tuple(lines) or ("dvc.lock names no stage that wrote it",))


def _environment(root: Path, track: str) -> Rung:
    shown = f"results/{track}/provenance.json"
    if not (root / shown).exists():
        return Rung("environment", UNKNOWN, (f"{shown} is kept on the machine that ran it, not in git",))
    data = read_json(root / shown, shown)
    entries = data.items() if isinstance(data, dict) else ()
    return Rung("environment", HOLDS, tuple(f"{name}: {_flat(value)}" for name, value in entries))


def _seeds(values: list[Value]) -> Rung:
    estimates = [(value.address, value.estimate) for value in values if value.estimate]
    if not any(e.seeded or e.bootstrap for _, e in estimates):
        return Rung("seeds", HOLDS, ("a deterministic computation: no seeds, no spread",))
    lines = []
    for address, e in estimates:
        runs = ", ".join(f"{v:.6g}" for v in e.values)
        spread = f"spread {e.spread:.3g}" + (" (of the nearest experiment)" if e.runs == 1 and e.seeded else "")
        lines.append(f"{address}: runs {runs}; {spread}; bootstrap over stars {e.bootstrap:.3g}")
    enough = all(e.runs > 1 or not e.seeded for _, e in estimates)
    return Rung("seeds", HOLDS if enough else BREAKS, tuple(lines))


def _control(root: Path, registry: Registry, claim: Claim) -> Iterator[Rung]:
    if claim.control:
        control = registry.by_id[claim.control]
        verdict = judge_claim(registry, control, lambda track: read_evidence(root, track))
        lines = (f"{control.id}: {control.statement}", f"{verdict.label}: {verdict.reason}")
        state = {"REPRODUCED": HOLDS, "NOT REPRODUCED": BREAKS}.get(verdict.word, UNKNOWN)
        yield Rung("control", state, lines)


def _flat(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {inner}" for name, inner in value.items())
    return str(value)
