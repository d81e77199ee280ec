"""Settings of arms: `name=value` parts joined by `+`, such as `k=200+selector=1`."""

import re
from collections.abc import Iterable
from typing import Final

_JOINT: Final = re.compile(r"\+(?=[A-Za-z_]\w*=)")  # the + of 1e+05 joins nothing


def parts(setting: str) -> dict[str, str]:
    """Name -> value of each part, in order; empty for "". A part without a value has the value ""."""
    pieces = _JOINT.split(setting) if setting else []
    return {name: value for name, _, value in (piece.partition("=") for piece in pieces)}


def part(setting: str, name: str) -> str | None:
    """The value of one part; None without it."""
    return parts(setting).get(name)


def number(setting: str, name: str) -> float:
    """The value of one part as a number; nan where there is none."""
    try:
        return float(parts(setting).get(name, "nan"))
    except ValueError:
        return float("nan")


def joined(pieces: dict[str, str]) -> str:
    """The setting that has these parts."""
    return "+".join(f"{name}={value}" for name, value in pieces.items())


def only(setting: str, names: Iterable[str]) -> str:
    """The setting without the parts that are not named."""
    return joined({name: value for name, value in parts(setting).items() if name in set(names)})


def without(setting: str, names: Iterable[str]) -> str:
    """The setting without the parts that are named."""
    return joined({name: value for name, value in parts(setting).items() if name not in set(names)})
