"""Sections of a parameter file: frozen dataclasses whose fields have a type and a rule; reads of them are reported."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import field, fields
from typing import Any, Literal, get_args, get_origin, get_type_hints

from repro.errors import ParameterError

reads: ContextVar[Callable[[str], None] | None] = ContextVar("reads", default=None)  # is told of every read


class Section:
    """A frozen dataclass whose field reads are reported as `<section>.<field>`."""

    _key: str

    def __getattribute__(self, name: str) -> Any:
        value = object.__getattribute__(self, name)
        report = reads.get()
        if report is not None and not name.startswith("_") and not isinstance(value, Section) and not callable(value):
            section = object.__getattribute__(self, "_key")
            report(f"{section}.{name}" if section else name)
        return value


def rule(test: Callable[[Any], bool], text: str) -> Any:
    """A field whose value must pass a test, which the text describes."""
    return field(metadata={"test": test, "text": text})


def positive() -> Any:
    """A field of a number above 0."""
    return rule(lambda value: value > 0, "a finite number > 0")


def at_least(minimum: int) -> Any:
    """A field of a whole number that is not below another."""
    return rule(lambda value: value >= minimum, f"a whole number >= {minimum}")


def between(low: float, high: float) -> Any:
    """A field of a number within limits, these among them."""
    return rule(lambda value: low <= value <= high, f"a number between {low:g} and {high:g}")


def increasing() -> Any:
    """A field of a list of increasing numbers."""
    return rule(
        lambda values: len(values) > 0 and all(a < b for a, b in zip(values, values[1:], strict=False)),
        "a list of increasing numbers",
    )


def not_negative() -> Any:
    """A field of a list of increasing numbers from 0 on."""
    return rule(
        lambda values: (
            len(values) > 0 and values[0] >= 0 and all(a < b for a, b in zip(values, values[1:], strict=False))
        ),
        "a list of increasing numbers, none negative",
    )


def names() -> Any:
    """A field of a list of names, which may be empty."""
    return rule(lambda values: all(values), "a list of file names")


def parse(kind: type[Any], raw: Any, path: str, prefix: str = "") -> Any:
    """A section of type `kind` from what YAML gave for it.

    Args:
        kind: a frozen dataclass, a `Section`.
        raw: hopefully a mapping with a value for each of its fields.
        path: of the file, for messages.
        prefix: what stands before the keys of this section, such as `ci.trackF.`.

    Raises:
        ParameterError: a key is unknown or missing, a value has the wrong type or breaks its rule.
    """
    hints = get_type_hints(kind)
    known = {item.name: item for item in fields(kind) if item.name != "_key"}
    if not isinstance(raw, Mapping):
        raise ParameterError(f"{path}: '{prefix}' must be a table of parameters, found {raw!r}")
    for name in raw:
        if name not in known:
            close = difflib.get_close_matches(str(name), known, n=1)
            hint = f" Did you mean '{prefix}{close[0]}'?" if close else ""
            raise ParameterError(f"{path}: unknown parameter '{prefix}{name}'.{hint}")
    values: dict[str, Any] = {}
    for name, item in known.items():
        key = f"{prefix}{name}"
        if name not in raw:
            raise ParameterError(f"{path}: the parameter '{key}' is missing")
        hint = hints[name]
        if isinstance(hint, type) and issubclass(hint, Section):
            values[name] = parse(hint, raw[name], path, f"{key}.")
        else:
            values[name] = _value(raw[name], hint, item.metadata, f"{path}: {key} = {raw[name]!r}")
    return kind(**values, _key=prefix.rstrip("."))


def _value(raw: Any, hint: Any, rule: Mapping[str, Any], where: str) -> Any:
    if get_origin(hint) is Literal:
        if raw not in get_args(hint):
            raise ParameterError(f"{where} is not valid: it must be one of {', '.join(get_args(hint))}")
        return raw
    value = _convert(raw, hint)
    if value is None or not rule["test"](value):
        raise ParameterError(f"{where} is not valid: it must be {rule['text']}")
    return value


def _convert(raw: Any, hint: Any) -> Any:
    """`raw` as a value of the type `hint`, or None where it is not one."""
    if hint is int:
        return raw if isinstance(raw, int) and not isinstance(raw, bool) else None
    if hint is float:
        return _number(raw)
    if hint is str:
        return raw if isinstance(raw, str) else None
    if hint == tuple[int, ...]:
        whole = isinstance(raw, list) and all(isinstance(entry, int) and not isinstance(entry, bool) for entry in raw)
        return tuple(raw) if whole else None
    if hint == tuple[str, ...]:
        return tuple(raw) if isinstance(raw, list) and all(isinstance(entry, str) for entry in raw) else None
    numbers = [_number(entry) for entry in raw] if isinstance(raw, list) else [None]
    return None if None in numbers else tuple(numbers)


def _number(raw: Any) -> float | None:
    if isinstance(raw, bool) or not isinstance(raw, int | float) or not math.isfinite(raw):
        return None
    return float(raw)
