"""params.yaml, parsed once into frozen dataclasses with types and ranges checked; the only reader of parameters.

Every read of a value is reported to the running stage's audit (see `audited`), so that a stage that uses a parameter
which dvc.yaml does not declare for it fails instead of going stale unnoticed.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import yaml

from repro.errors import ParameterError

_audit: ContextVar[Callable[[str], None] | None] = ContextVar("audit", default=None)


class _Section:
    """A frozen dataclass whose field reads are reported as `<section>.<field>`."""

    _key: str

    def __getattribute__(self, name: str) -> Any:
        value = object.__getattribute__(self, name)
        report = _audit.get()
        if report is not None and not name.startswith("_") and not isinstance(value, _Section) and not callable(value):
            section = object.__getattribute__(self, "_key")
            report(f"{section}.{name}" if section else name)
        return value


def _rule(test: Callable[[Any], bool], text: str) -> Any:
    return field(metadata={"test": test, "text": text})


def _positive() -> Any:
    return _rule(lambda value: value > 0, "a finite number > 0")


def _at_least(minimum: int) -> Any:
    return _rule(lambda value: value >= minimum, f"a whole number >= {minimum}")


def _between(low: float, high: float) -> Any:
    return _rule(lambda value: low <= value <= high, f"a number between {low:g} and {high:g}")


def _increasing() -> Any:
    return _rule(
        lambda values: len(values) > 0 and all(a < b for a, b in zip(values, values[1:], strict=False)),
        "a list of increasing numbers",
    )


def _levels() -> Any:
    return _rule(
        lambda values: (
            len(values) > 0 and values[0] >= 0 and all(a < b for a, b in zip(values, values[1:], strict=False))
        ),
        "a list of increasing numbers, none negative",
    )


def _files() -> Any:
    return _rule(lambda values: all(values), "a list of file names")


@dataclass(frozen=True, kw_only=True)
class MatrixParams(_Section):
    """How much of Track F's matrix of experiments a scale runs; the largest scale lists what others leave out."""

    sizes: tuple[int, ...] = _increasing()  # of training sets; none larger than `train`
    seeds: int = _at_least(1)
    repeated: tuple[float, ...] = _levels()  # noise levels at which the largest size has all seeds, others one
    components: tuple[int, ...] = _increasing()  # of PCA and PLS
    pixels: tuple[int, ...] = _increasing()  # chosen ones, instead of all
    trees: int = _at_least(1)  # at most; early stopping
    tree_share: float = _between(0.0, 1.0)  # of the pixels that each tree may use
    tree_bins: int = _at_least(2)  # of the flux of a pixel
    tree_rates: tuple[float, ...] = _increasing()
    tree_leaves: tuple[int, ...] = _increasing()
    network_levels: tuple[float, ...] = _levels()
    network_sizes: tuple[int, ...] = _increasing()  # some of `sizes`
    epochs: int = _at_least(1)  # of the perceptrons
    cnn_size: int = _at_least(1)  # one of `sizes`
    cnn_batch: int = _at_least(1)
    cnn_kernels: tuple[int, ...] = _increasing()  # pixels
    cnn_rates: tuple[float, ...] = _increasing()
    cnn_steps: tuple[int, ...] = _increasing()
    validation_sizes: tuple[int, ...] = _increasing()  # taken from the end of the training set
    _key: str = ""


@dataclass(frozen=True, kw_only=True)
class ScaleParams(_Section):
    """Sizes of the whole pipeline under one name, and the axes of the 5D node grid (log g as in the 3D grid)."""

    grid: Literal["pack", "build"] = field()
    T_eff: tuple[float, ...] = _increasing()  # [K]
    M_H: tuple[float, ...] = _increasing()  # [dex]
    a_M: tuple[float, ...] = _increasing()
    C_M: tuple[float, ...] = _increasing()
    train: int = _at_least(1)
    val: int = _at_least(1)
    test: int = _at_least(2)
    autodiff_nodes: int = _at_least(1)
    step_nodes: int = _at_least(1)
    posterior_stars: int = _at_least(2)
    noise_law_stars: int = _at_least(2)
    epochs: int = _at_least(1)
    trackF: MatrixParams = field()
    _key: str = ""


@dataclass(frozen=True, kw_only=True)
class NodesParams(_Section):
    """Axes of the 3D node grid, at solar alpha and carbon, which every scale shares."""

    T_eff: tuple[float, ...] = _increasing()  # [K]
    log_g: tuple[float, ...] = _increasing()  # [dex]
    M_H: tuple[float, ...] = _increasing()  # [dex]
    microturbulence: float = _positive()  # [km/s]
    recomputed: int = _at_least(1)
    _key: str = "nodes"


@dataclass(frozen=True, kw_only=True)
class SpectraParams(_Section):
    """How labels and observing conditions of the spectrum sets are drawn."""

    sampling: Literal["paper", "continuous"] = field()
    noise_model: Literal["paper", "physical"] = field()
    mag_min: float = _between(10.0, 30.0)
    mag_max: float = _between(10.0, 30.0)
    _key: str = "spectra"


@dataclass(frozen=True, kw_only=True)
class BoszParams(_Section):
    """Where and how source `bosz` downloads."""

    release: Literal[2017, 2024] = field()
    base_url: str = _rule(lambda value: value == "" or "://" in value, "an address, or '' for the release's own")
    resolution: int = _at_least(200)
    connections: int = _at_least(1)
    timeout: float = _positive()  # [s]
    _key: str = "bosz"


@dataclass(frozen=True, kw_only=True)
class Hdf5Params(_Section):
    """The original author's files, read by source `hdf5`."""

    train: tuple[str, ...] = _files()
    val: tuple[str, ...] = _files()
    test: tuple[str, ...] = _files()
    nodes: str = _rule(bool, "a file name")
    _key: str = "hdf5"


@dataclass(frozen=True, kw_only=True)
class CeilingParams(_Section):
    """Observing conditions of Track C's Fisher grids."""

    magnitudes: tuple[float, ...] = _increasing()  # HSC-i, AB
    zenith_angle: float = _between(0.0, 45.0)  # [deg]
    field_angle: float = _between(0.0, 0.65)  # [deg]
    seeing: float = _between(0.5, 1.5)  # [arcsec]
    _key: str = "trackC_ceiling"


@dataclass(frozen=True, kw_only=True)
class LevelsParams(_Section):
    """What Track F's matrix has at every scale."""

    levels: tuple[float, ...] = _levels()  # published noise levels, which `noise` multiplies
    _key: str = "trackF"


@dataclass(frozen=True, kw_only=True)
class Params(_Section):
    """The whole of params.yaml."""

    noise: float = _positive()
    scale: Literal["ci", "lab", "paper"] = field()
    seed: int = _at_least(0)
    source: Literal["lte", "bosz", "hdf5"] = field()
    ci: ScaleParams = field()
    lab: ScaleParams = field()
    paper: ScaleParams = field()
    nodes: NodesParams = field()
    spectra: SpectraParams = field()
    bosz: BoszParams = field()
    hdf5: Hdf5Params = field()
    trackC_ceiling: CeilingParams = field()
    trackF: LevelsParams = field()
    _key: str = ""

    @property
    def size(self) -> ScaleParams:
        """The section named by `scale`."""
        section: ScaleParams = object.__getattribute__(self, self.scale)
        return section


def read_params(path: str | Path = "params.yaml") -> Params:
    """Parse and check a parameter file.

    Raises:
        ParameterError: the file is missing or not YAML, a key is unknown or missing, a value has the wrong type or
            breaks its rule. The message names file, key, value and rule.
    """
    path = Path(path)
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ParameterError(f"{path}: no such file. Run from the project's root folder.") from None
    except yaml.YAMLError as error:
        raise ParameterError(f"{path}: not valid YAML: {error}") from None
    if not isinstance(raw, dict):
        raise ParameterError(f"{path}: expected a table of parameters, found {type(raw).__name__}")
    params: Params = _parse(Params, raw, str(path), "")
    low, high = params.spectra.mag_min, params.spectra.mag_max
    if low > high:
        raise ParameterError(f"{path}: spectra.mag_min = {low:g} exceeds spectra.mag_max = {high:g}")
    for name in ("ci", "lab", "paper"):
        _check_matrix(getattr(params, name), params.trackF.levels, f"{path}: {name}")
    return params


def _check_matrix(scale: ScaleParams, levels: tuple[float, ...], where: str) -> None:
    """Raise ParameterError where a scale's matrix asks for more spectra or other noise levels than there are."""
    matrix = scale.trackF
    if matrix.sizes[-1] > scale.train:
        raise ParameterError(
            f"{where}.trackF.sizes = {matrix.sizes[-1]} exceeds {where.split()[-1]}.train = {scale.train}"
        )
    for key, some in (("cnn_size", (matrix.cnn_size,)), ("network_sizes", matrix.network_sizes)):
        for size in set(some) - set(matrix.sizes):
            raise ParameterError(f"{where}.trackF.{key}: {size} is not one of {where.split()[-1]}.trackF.sizes")
    for key, chosen in (("repeated", matrix.repeated), ("network_levels", matrix.network_levels)):
        unknown = sorted(set(chosen) - set(levels))
        if unknown:
            raise ParameterError(f"{where}.trackF.{key}: {unknown[0]:g} is not one of trackF.levels")


@contextmanager
def audited(declared: frozenset[str], stage: str) -> Iterator[None]:
    """Within this context, reading a parameter that `declared` does not cover raises ParameterError.

    `declared` holds keys as in dvc.yaml: a whole section (`nodes`) or one value (`ci.test`).
    """

    def check(key: str) -> None:
        parts = key.split(".")
        if not any(".".join(parts[:depth]) in declared for depth in range(1, len(parts) + 1)):
            raise ParameterError(
                f"stage {stage} reads the parameter '{key}' but dvc.yaml does not declare it for that stage. "
                f"Add it to the stage's params list, otherwise a change of it would not rerun the stage."
            )

    token = _audit.set(check)
    try:
        yield
    finally:
        _audit.reset(token)


def _parse(kind: type[Any], raw: Any, path: str, prefix: str) -> Any:
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
        if isinstance(hint, type) and issubclass(hint, _Section):
            values[name] = _parse(hint, raw[name], path, f"{key}.")
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
