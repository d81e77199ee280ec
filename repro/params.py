"""params.yaml, parsed once into frozen dataclasses with types and ranges checked; the only reader of parameters.

Every read of a value is reported to the running stage's audit (see `audited`), so that a stage that uses a parameter
which dvc.yaml does not declare for it fails instead of going stale unnoticed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

import yaml

from repro.errors import ParameterError
from repro.sections import Section, at_least, between, increasing, names, not_negative, parse, positive, reads, rule

# what the published papers announce of the vision transformer and never finished, as names of experiments
ABLATIONS: Final = (
    "tokenizer",
    "positions",
    "pooling",
    "loss",
    "labels",
    "shape",
    "weights",
    "kept",
    "noise",
    "decay",
    "swin",
    "cnn_matched",
    "lattice",
    "cross_noise",
)


@dataclass(frozen=True, kw_only=True)
class MatrixParams(Section):
    """How much of Track F's matrix of experiments a scale runs; the largest scale lists what others leave out."""

    sizes: tuple[int, ...] = increasing()  # of training sets; none larger than `train`
    seeds: int = at_least(1)
    repeated: tuple[float, ...] = not_negative()  # noise levels at which the largest size has all seeds, others one
    components: tuple[int, ...] = increasing()  # of PCA and PLS
    pixels: tuple[int, ...] = increasing()  # chosen ones, instead of all
    trees: int = at_least(1)  # at most; early stopping
    tree_share: float = between(0.0, 1.0)  # of the pixels that each tree may use
    tree_bins: int = at_least(2)  # of the flux of a pixel
    tree_rates: tuple[float, ...] = increasing()
    tree_leaves: tuple[int, ...] = increasing()
    network_levels: tuple[float, ...] = not_negative()
    network_sizes: tuple[int, ...] = increasing()  # some of `sizes`
    epochs: int = at_least(1)  # of the perceptrons
    cnn_size: int = at_least(1)  # one of `sizes`
    cnn_batch: int = at_least(1)
    cnn_kernels: tuple[int, ...] = increasing()  # pixels
    cnn_rates: tuple[float, ...] = increasing()
    cnn_steps: tuple[int, ...] = increasing()
    validation_sizes: tuple[int, ...] = increasing()  # taken from the end of the training set
    _key: str = ""


@dataclass(frozen=True, kw_only=True)
class VitParams(Section):
    """How much of Track A's experiments with the vision transformer a scale runs."""

    main: Literal["small", "published"] = field()  # the architecture that the scale's scores are of
    sizes: tuple[int, ...] = increasing()  # of training sets; some of `trackF.sizes`
    seeds: int = at_least(1)
    epochs: int = at_least(1)  # of the faithful recipe
    batch: int = at_least(1)
    published_steps: int = at_least(
        0
    )  # updates of the published architecture beside a small main one; 0: it is left out
    fast_epochs: int = at_least(0)  # of the fast recipe; 0: it is left out
    ablations: tuple[str, ...] = rule(
        lambda values: len(set(values)) == len(values) and set(values) <= set(ABLATIONS),
        f"a list of some of {', '.join(ABLATIONS)}",
    )
    ablation_size: int = at_least(1)  # one of `sizes`
    ablation_epochs: int = at_least(1)
    attention_stars: int = at_least(3)  # of the test set, whose attention is looked at
    _key: str = ""


@dataclass(frozen=True, kw_only=True)
class ScaleParams(Section):
    """Sizes of the whole pipeline under one name, and the axes of the 5D node grid (log g as in the 3D grid)."""

    grid: Literal["pack", "build"] = field()
    T_eff: tuple[float, ...] = increasing()  # [K]
    M_H: tuple[float, ...] = increasing()  # [dex]
    a_M: tuple[float, ...] = increasing()
    C_M: tuple[float, ...] = increasing()
    train: int = at_least(1)
    val: int = at_least(1)
    test: int = at_least(2)
    autodiff_nodes: int = at_least(1)
    step_nodes: int = at_least(1)
    posterior_stars: int = at_least(2)
    noise_law_stars: int = at_least(2)
    epochs: int = at_least(1)
    trackF: MatrixParams = field()
    trackA: VitParams = field()
    _key: str = ""


@dataclass(frozen=True, kw_only=True)
class NodesParams(Section):
    """Axes of the 3D node grid, at solar alpha and carbon, which every scale shares."""

    T_eff: tuple[float, ...] = increasing()  # [K]
    log_g: tuple[float, ...] = increasing()  # [dex]
    M_H: tuple[float, ...] = increasing()  # [dex]
    microturbulence: float = positive()  # [km/s]
    recomputed: int = at_least(1)
    _key: str = "nodes"


@dataclass(frozen=True, kw_only=True)
class SpectraParams(Section):
    """How labels and observing conditions of the spectrum sets are drawn."""

    sampling: Literal["paper", "continuous"] = field()
    noise_model: Literal["paper", "physical"] = field()
    mag_min: float = between(10.0, 30.0)
    mag_max: float = between(10.0, 30.0)
    _key: str = "spectra"


@dataclass(frozen=True, kw_only=True)
class BoszParams(Section):
    """Where and how source `bosz` downloads."""

    release: Literal[2017, 2024] = field()
    base_url: str = rule(lambda value: value == "" or "://" in value, "an address, or '' for the release's own")
    resolution: int = at_least(200)
    connections: int = at_least(1)
    timeout: float = positive()  # [s]
    _key: str = "bosz"


@dataclass(frozen=True, kw_only=True)
class Hdf5Params(Section):
    """The original author's files, read by source `hdf5`."""

    train: tuple[str, ...] = names()
    val: tuple[str, ...] = names()
    test: tuple[str, ...] = names()
    nodes: str = rule(bool, "a file name")
    _key: str = "hdf5"


@dataclass(frozen=True, kw_only=True)
class CeilingParams(Section):
    """Observing conditions of Track C's Fisher grids."""

    magnitudes: tuple[float, ...] = increasing()  # HSC-i, AB
    zenith_angle: float = between(0.0, 45.0)  # [deg]
    field_angle: float = between(0.0, 0.65)  # [deg]
    seeing: float = between(0.5, 1.5)  # [arcsec]
    _key: str = "trackC_ceiling"


@dataclass(frozen=True, kw_only=True)
class LevelsParams(Section):
    """What Track F's matrix has at every scale."""

    levels: tuple[float, ...] = not_negative()  # published noise levels, which `noise` multiplies
    _key: str = "trackF"


@dataclass(frozen=True, kw_only=True)
class Params(Section):
    """The whole of params.yaml."""

    noise: float = positive()
    scale: Literal["ci", "lab", "paper"] = field()
    seed: int = at_least(0)
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
    params: Params = parse(Params, raw, str(path), "")
    low, high = params.spectra.mag_min, params.spectra.mag_max
    if low > high:
        raise ParameterError(f"{path}: spectra.mag_min = {low:g} exceeds spectra.mag_max = {high:g}")
    for name in ("ci", "lab", "paper"):
        _check_matrix(getattr(params, name), params.trackF.levels, f"{path}: {name}")
        _check_vit(getattr(params, name), f"{path}: {name}.trackA", name)
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


def _check_vit(scale: ScaleParams, where: str, name: str) -> None:
    """Raise ParameterError where Track A asks for other training sets than its peers have, or for absent stars."""
    vit = scale.trackA
    for size in sorted(set(vit.sizes) - set(scale.trackF.sizes)):
        raise ParameterError(
            f"{where}.sizes: {size} is not one of {name}.trackF.sizes, where its peers are trained; add it there too"
        )
    if vit.ablation_size not in vit.sizes:
        raise ParameterError(f"{where}.ablation_size: {vit.ablation_size} is not one of {name}.trackA.sizes")
    if vit.attention_stars > scale.test:
        raise ParameterError(f"{where}.attention_stars = {vit.attention_stars} exceeds {name}.test = {scale.test}")


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

    token = reads.set(check)
    try:
        yield
    finally:
        reads.reset(token)
