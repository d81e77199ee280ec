"""Planted changes: each one flips a verdict or is refused. A verifier that says the same after one is broken."""

from collections.abc import Callable
from typing import Any

import pytest

from repro.errors import ClaimError
from tests.claims.throwaway import Project, claim, ordering

CLAIMS: dict[str, dict[str, Any]] = {
    "value": claim("Z-1"),
    "ordering": ordering("Z-2"),
    "bound": claim("Z-3", kind="bound", bound={"at_least": 0.4}, reading=None, tolerance=None),
    "share": claim("Z-4", kind="share", evidence={"numerator": "3D/a", "denominator": "3D/e"}),
    "identity": claim("Z-5", kind="identity", evidence=["3D/a", "3D/d"], reading=None),
    "seeded": claim("Z-6", evidence="model/r2"),
    "gap": claim("Z-7", evidence={"difference": ["3D/e", "3D/a"]}),
}
VALUES: dict[str, Any] = {
    "3D/a": 0.5,
    "3D/b": 0.6,
    "3D/c": 0.7,
    "3D/d": 0.501,
    "3D/e": 1.0,
    "model/r2": [0.501, 0.500, 0.502],
}
Change = Callable[[dict[str, dict[str, Any]], dict[str, Any], dict[str, Any]], None]


def _set(part: str, name: str, field: str, value: Any) -> Change:
    def change(claims: dict[str, dict[str, Any]], values: dict[str, Any], conditions: dict[str, Any]) -> None:
        if part == "claim":
            target: Any = claims[name]
            *path, last = field.split(".")
            for step in path:
                target = target[step]
            target[last] = value
        elif part == "value":
            values[name] = value
        else:
            conditions[name] = value

    return change


MUTATIONS: dict[str, tuple[Change, set[str]]] = {
    "claimed value": (_set("claim", "value", "reading.value", 0.52), {"refused"}),
    "claimed value, source too": (
        _set("claim", "value", "sources", [{"where": "x", "value": 0.62}, {"where": "y", "value": 0.5}]),
        {"flag"},
    ),
    "source changed alone": (_set("claim", "value", "sources", [{"where": "x", "value": 0.52}]), {"refused"}),
    "tolerance of a seeded claim": (_set("claim", "seeded", "tolerance.absolute", 0.001), {"Z-6"}),
    "tolerance removed": (_set("claim", "value", "tolerance", {}), {"refused"}),
    "tolerance unit": (
        _set("claim", "seeded", "tolerance", {"relative": 0.003, "why": "x"}),
        {"Z-6"},
    ),
    "tolerance of an identity": (_set("claim", "identity", "tolerance.absolute", 0.0009), {"Z-5"}),
    "direction": (_set("claim", "ordering", "relation", "decreasing"), {"Z-2"}),
    "order of terms": (_set("claim", "ordering", "evidence", ["3D/b", "3D/a", "3D/c"]), {"Z-2"}),
    "step": (_set("claim", "ordering", "tolerance", {"margin": 0.1, "why": "x"}), {"Z-2"}),
    "bound": (_set("claim", "bound", "bound.at_least", 0.51), {"Z-3"}),
    "bound turned": (_set("claim", "bound", "bound", {"at_most": 0.4}), {"Z-3"}),
    "terms of a gap": (_set("claim", "gap", "evidence", {"difference": ["3D/a", "3D/e"]}), {"Z-7"}),
    "terms of a share": (_set("claim", "share", "evidence", {"numerator": "3D/e", "denominator": "3D/a"}), {"Z-4"}),
    "address": (_set("claim", "value", "evidence", "3D/b"), {"Z-1"}),
    "misspelt address": (_set("claim", "value", "evidence", "3D/aa"), {"refused"}),
    "family": (_set("claim", "value", "evidence", "5D/a"), {"Z-1"}),
    "kind": (_set("claim", "value", "kind", "bound"), {"refused"}),
    "required condition": (_set("claim", "value", "conditions", {"required": {"scale": "paper"}}), {"Z-1"}),
    "stated source": (_set("claim", "value", "conditions", {"stated": {"source": "bosz"}}), {"Z-1"}),
    "evidence value": (_set("value", "3D/a", "", 0.52), {"Z-1", "Z-4", "Z-5", "Z-7"}),
    "evidence of one step": (_set("value", "3D/b", "", 0.71), {"Z-2"}),
    "evidence of an identity": (_set("value", "3D/d", "", 0.52), {"Z-5"}),
    "evidence of a denominator": (_set("value", "3D/e", "", 1.2), {"Z-4", "Z-7"}),
    "one seed": (_set("value", "model/r2", "", [0.501, 0.500, 0.532]), {"Z-6"}),
    "fewer seeds": (_set("value", "model/r2", "", [0.501]), {"Z-6"}),
    "bootstrap error": (_set("value", "model/r2", "", {"runs": [0.501, 0.5, 0.502], "bootstrap_error": 0.02}), {"Z-6"}),
    "not a number": (_set("value", "3D/a", "", {"value": "0.5"}), {"refused"}),
    "noise of the run": (_set("condition", "noise", "", 2.0), {f"Z-{i}" for i in range(1, 8)}),
}


def _judged(project: Project, change: Change | None) -> dict[str, tuple[str, bool]]:
    claims = {name: _copy(one) for name, one in CLAIMS.items()}
    values, conditions = _copy(VALUES), {"scale": "ci"}
    if change:
        change(claims, values, conditions)
    project.claims(*claims.values())
    project.evidence(values, conditions=conditions)
    return {name: (v.word, v.claim.contradicts_itself) for name, v in project.verdicts().items()}


def _copy(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _copy(value) for key, value in data.items()}
    return [_copy(value) for value in data] if isinstance(data, list) else data


def test_unchanged_registry_reproduces(project: Project) -> None:
    assert set(_judged(project, None).values()) == {("REPRODUCED", False)}


@pytest.mark.parametrize("name", MUTATIONS)
def test_planted_change_flips_or_is_refused(project: Project, name: str) -> None:
    change, expected = MUTATIONS[name]
    before = _judged(project, None)
    if expected == {"refused"}:
        with pytest.raises(ClaimError):
            _judged(project, change)
        return
    after = _judged(project, change)
    changed = {claim_id for claim_id in after if after[claim_id] != before[claim_id]}
    assert changed == ({"Z-1"} if expected == {"flag"} else expected)


@pytest.mark.parametrize("address", [a for a in VALUES if a != "model/r2"])
@pytest.mark.parametrize("factor", [0.5, 0.9, 1.1, 2.0])
def test_every_evidence_value_matters(project: Project, address: str, factor: float) -> None:
    """Any value that moves by 10 % or more changes a verdict, unless an ordering has room for it."""
    before = _judged(project, None)
    after = _judged(project, _set("value", address, "", VALUES[address] * factor))
    slack = {("3D/b", 0.9), ("3D/b", 1.1), ("3D/c", 0.9), ("3D/c", 1.1), ("3D/c", 2.0)}
    assert (after != before) is ((address, factor) not in slack)


def test_evidence_edited_after_the_run_is_noticed(project: Project) -> None:
    project.claims(*CLAIMS.values())
    path = project.evidence(VALUES)
    project.edit(path, lambda data: data["values"]["3D/a"].update(value=0.5000001))
    assert {v.label for v in project.verdicts().values()} == {"NOT RUN (stale)"}
