"""YAML read with its line numbers, so that every complaint about a registry names the line to edit."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, TypeGuard

import yaml

from repro.errors import ClaimError

# values are typed here, so the loader that resolves no types is enough (and faster)
_Loader: type = getattr(yaml, "CBaseLoader", yaml.BaseLoader)

Scalar = str | int | float | bool


@dataclass(frozen=True)
class Printed:
    """A number together with the digits it was written with."""

    value: float
    text: str


class Mapping:
    """A YAML mapping whose fields are read one by one, with the type each must have.

    Args:
        node: the composed YAML node.
        file: path shown in messages.
        context: what is being read ("claim C-R1"), shown in messages.

    Raises:
        ClaimError: from every method, with file and line, when the YAML breaks a rule.
    """

    def __init__(self, node: yaml.Node, file: str, context: str) -> None:
        self.node, self.file, self.context = node, file, context
        if not isinstance(node, yaml.MappingNode):
            self.fail(f"expected fields (name: value), found {_describe(node)}")
        self._fields: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        for key, value in node.value:
            if key.value in self._fields:
                self.fail(f"field '{key.value}' is given twice", key)
            self._fields[key.value] = (key, value)

    @property
    def line(self) -> int:
        """Line of the mapping's first field, counted from 1."""
        return _line(self.node)

    def __contains__(self, name: str) -> bool:
        return name in self._fields

    def names(self) -> list[str]:
        """The field names in the order they are written."""
        return list(self._fields)

    def fail(self, message: str, at: yaml.Node | str | None = None) -> NoReturn:
        """Raise a ClaimError at a node, at a field of this mapping, or at the mapping itself."""
        node = self._fields[at][0] if isinstance(at, str) else at
        raise ClaimError(f"{self.file}, line {_line(node or self.node)}: {self.context}: {message}")

    def only(self, allowed: Sequence[str]) -> None:
        """Refuse fields that are not in `allowed`."""
        for name in self._fields:
            if name not in allowed:
                hint = did_you_mean(name, allowed)
                self.fail(f"unknown field '{name}'{hint}; known fields: {', '.join(allowed)}", name)

    def need(self, names: Sequence[str], why: str = "") -> None:
        """Refuse the mapping unless each of `names` is present."""
        for name in names:
            if name not in self._fields:
                self.fail(f"missing field '{name}'{why}")

    def text(self, name: str) -> str:
        """A required, non-empty text."""
        self.need([name])
        value = self._fields[name][1]
        if not isinstance(scalar(value), str) or not value.value.strip():
            self.fail(f"'{name}' must be text, found {_describe(value)}", name)
        return str(value.value).strip()

    def optional_text(self, name: str) -> str | None:
        """A text, or None when the field is absent."""
        return self.text(name) if name in self._fields else None

    def choice(self, name: str, allowed: Sequence[str]) -> str:
        """A required text out of a fixed list."""
        value = self.text(name)
        if value not in allowed:
            self.fail(f"'{name}' is '{value}'{did_you_mean(value, allowed)}; allowed: {', '.join(allowed)}", name)
        return value

    def number(self, name: str) -> Printed:
        """A required finite number with its printed digits."""
        self.need([name])
        value = self._fields[name][1]
        number = scalar(value)
        if not is_number(number):
            self.fail(f"'{name}' must be a finite number, found {_describe(value)}", name)
        return Printed(float(number), value.value)

    def mapping(self, name: str) -> "Mapping":
        """A required nested mapping."""
        self.need([name])
        return Mapping(self._fields[name][1], self.file, f"{self.context}, {name}")

    def sequence(self, name: str) -> list[yaml.Node]:
        """A required, non-empty list."""
        self.need([name])
        value = self._fields[name][1]
        if not isinstance(value, yaml.SequenceNode) or not value.value:
            self.fail(f"'{name}' must be a list with at least one entry, found {_describe(value)}", name)
        return list(value.value)

    def get(self, name: str) -> yaml.Node:
        """The node of a field that is present."""
        return self._fields[name][1]

    def scalars(self, name: str) -> dict[str, Scalar]:
        """An optional nested mapping of plain values; empty when absent."""
        if name not in self._fields:
            return {}
        inner = self.mapping(name)
        found: dict[str, Scalar] = {}
        for key in inner.names():
            value = scalar(inner.get(key))
            if value is None:
                inner.fail(f"'{key}' must be a number, a text or true/false, found {_describe(inner.get(key))}", key)
            found[key] = value
        return found


def read_mapping(path: Path, shown: str) -> Mapping:
    """Compose the YAML file at `path` (shown as `shown` in messages) without building Python objects.

    Raises:
        ClaimError: the file is absent, unreadable, no YAML, or not a mapping.
    """
    try:
        node = yaml.compose(path.read_text(encoding="utf-8"), Loader=_Loader)
    except FileNotFoundError:
        raise ClaimError(f"{shown}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ClaimError(f"{shown}: cannot be read: {error}") from error
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ClaimError(f"{shown}{line}: not valid YAML: {error.problem}") from error
    except yaml.YAMLError as error:
        raise ClaimError(f"{shown}: not valid YAML: {error}") from error
    if node is None:
        raise ClaimError(f"{shown}: the file is empty")
    return Mapping(node, shown, "file")


def scalar(node: yaml.Node) -> Scalar | None:
    """Value of a scalar node (None for null, a list or a mapping).

    Quoted is text; plain true/false and numbers (1e-8 too, which YAML 1.1 calls text) are what they look like.
    """
    if not isinstance(node, yaml.ScalarNode):
        return None
    text: str = node.value
    if node.style:
        return text
    if text in ("true", "false"):
        return text == "true"
    if text in ("", "~", "null"):
        return None
    try:
        return int(text)
    except ValueError:
        pass
    try:
        number = float(text)
    except ValueError:
        return text
    return number if math.isfinite(number) else text


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether a JSON or YAML value is a finite number (true and false are not)."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def did_you_mean(name: str, known: Sequence[str]) -> str:
    """ " (did you mean 'x'?)" for the closest known name, or "" when none is close."""
    import difflib  # wanted by mistakes alone

    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return f" (did you mean '{close[0]}'?)" if close else ""


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _describe(node: yaml.Node) -> str:
    if isinstance(node, yaml.MappingNode):
        return "a mapping"
    if isinstance(node, yaml.SequenceNode):
        return "a list" if node.value else "an empty list"
    return f"'{node.value}'" if node.value.strip() else "nothing"
