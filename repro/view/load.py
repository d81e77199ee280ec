"""From the words of `spec` to spectra."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Literal, Protocol

import h5py
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from repro.errors import DataError, ParameterError
from repro.instrument.lsf import LineSpread
from repro.instrument.pixels import pixel_centres
from repro.labels import LABELS
from repro.sources.bosz.settings import Settings
from repro.sources.bosz.source import BoszSource, BoszSpectra
from repro.sources.lte import LteSource
from repro.spectra.nodes import NodeGrid
from repro.spectra.noise import inject, standard_normal
from repro.spectra.pack import read_pack
from repro.spectra.store import open_set
from repro.view import air
from repro.view.plain import read_plain
from repro.view.spec import AtLabels, PlainFile, Row, Spec, parse
from repro.view.spectrum import Array, View

SURFACE_FLUX: Final = "surface flux [erg s⁻¹ cm⁻² Å⁻¹]"
PFS: Final = "pfs"
NATIVE: Final = "native"

_RELEASES: Final[dict[str, Literal[2017, 2024]]] = {"bosz": 2017, "bosz2024": 2024}

_MIN_RESOLUTION, _MAX_RESOLUTION = 100.0, 100_000.0


class Sampling:
    """What is done to the spectra of a source: PFS pixels, nothing, or a Gaussian of FWHM wave / R.

    Args:
        resolution: `pfs`, `native`, or a resolving power R.

    Raises:
        ParameterError: it is none of these.
    """

    def __init__(self, resolution: str) -> None:
        self._power = None if resolution in (PFS, NATIVE) else _power(resolution)
        self._resolution = resolution
        self._line_spread: tuple[Tensor, LineSpread] | None = None

    @property
    def name(self) -> str:
        """In words."""
        if self._power is not None:
            return f"R = {self._power:g}"
        return "PFS pixels" if self._resolution == PFS else "as synthesised"

    def __call__(self, wave: Tensor, rows: Tensor) -> tuple[Array, Array]:
        """Wavelengths (V,) and rows (B, V) from the source's uniform wavelengths (W,) and rows (B, W); linear."""
        if self._resolution == PFS:
            if self._line_spread is None or not torch.equal(self._line_spread[0], wave):
                self._line_spread = wave, LineSpread(wave)
            return pixel_centres(), self._line_spread[1](rows).cpu().numpy()
        plain, values = wave.cpu().numpy().astype(np.float64), rows.cpu().numpy().astype(np.float64)
        if self._power is None:
            return plain, values
        return _broadened(plain, values, self._power)


def _power(resolution: str) -> float:
    try:
        power = float(resolution)
    except ValueError:
        power = float("nan")
    if not _MIN_RESOLUTION <= power <= _MAX_RESOLUTION:
        raise ParameterError(
            f"resolution {resolution!r} is neither {PFS}, {NATIVE} nor a resolving power "
            f"from {_MIN_RESOLUTION:g} to {_MAX_RESOLUTION:g}"
        )
    return power


def _broadened(wave: Array, rows: Array, power: float) -> tuple[Array, Array]:
    """Rows seen by a Gaussian of FWHM wave / power, four samples a FWHM, without the ends that lack a neighbour."""
    step = min(0.25 / power, (wave[1] - wave[0]) / wave[0])
    grid = np.arange(np.log(wave[0]), np.log(wave[-1]), step)
    sigma = 1.0 / (power * np.sqrt(8.0 * np.log(2.0)) * step)
    reach = int(np.ceil(5.0 * sigma))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    kernel /= kernel.sum()
    every = max(int(0.25 / power / step), 1)
    smooth = [np.convolve(np.interp(grid, np.log(wave), row), kernel, "valid")[::every] for row in rows]
    return np.exp(grid[reach : grid.size - reach][::every]), np.array(smooth)


class Synthetic(Protocol):
    """What a source must do to be looked at."""

    def spectra(self, labels: NDArray[np.float64]) -> Any:
        """Spectra at labels (b, 5), with attributes wave, flux and continuum as the instrument takes them."""


@dataclass(frozen=True)
class FromSource:
    """Where a view came from: a source at labels (5,)."""

    source: Synthetic
    sampling: Sampling
    labels: NDArray[np.float64]


@dataclass(frozen=True)
class FromGrid:
    """Where a view came from: a node of a grid."""

    grid: NodeGrid
    node: int


Origin = FromSource | FromGrid | None


class Archive:
    """Spectra of a BOSZ release that `repro fetch bosz` has put in the folder where it does without further options."""

    def __init__(self, release: Literal[2017, 2024]) -> None:
        self._settings = Settings(release=release)

    def spectra(self, labels: NDArray[np.float64]) -> BoszSpectra:
        """Spectra at nodes (b, 5). Raises DataError or ParameterError where there is none."""
        release = self._settings.release
        folder, manifest = f"data/bosz/{release}", f"data/manifests/bosz{release}.json"
        return BoszSource(self._settings, labels, folder, manifest).spectra(labels)


class Loader:
    """Reads spectra; sources and grids are kept for those that follow.

    Args:
        resolution: of sources, see `Sampling`. Nodes, sets and files are shown as they are.
        noise: level of the noisy draw shown with a row of a set; None for none.
        microturbulence: [km/s], of source lte.
    """

    def __init__(self, resolution: str = PFS, noise: float | None = None, microturbulence: float = 2.0) -> None:
        if noise is not None and not 0.0 < noise < np.inf:
            raise ParameterError(f"noise {noise:g} must be positive: it multiplies the error of each pixel")
        self._sampling = Sampling(resolution)
        self._noise = noise
        self._microturbulence = microturbulence
        self._grids: dict[Path, NodeGrid] = {}

    def __call__(self, text: str) -> tuple[View, Origin]:
        """The spectrum that `text` names (see `spec`) and where it came from.

        Raises:
            ParameterError: the text is not understood.
            DataError: a file is broken, or has no such node or row.
        """
        spec: Spec = parse(text)
        if isinstance(spec, Row):
            return self._row(spec), None
        if isinstance(spec, PlainFile):
            return self._plain(spec), None
        return self._node(spec, spec.place) if isinstance(spec.place, Path) else self._synthesised(spec)

    @cached_property
    def _lte(self) -> LteSource:
        return LteSource(microturbulence=self._microturbulence)

    def _source(self, name: str) -> Synthetic:
        return self._lte if name == "lte" else Archive(_RELEASES[name])

    def _synthesised(self, spec: AtLabels) -> tuple[View, Origin]:
        source = self._source(str(spec.place))
        with torch.no_grad():
            spectrum: Any = source.spectra(spec.array[None])
        wave, rows = self._sampling(spectrum.wave, torch.cat([spectrum.flux, spectrum.continuum]))
        view = View(
            name=spec.text,
            wave=wave,
            flux=rows[0],
            unit=SURFACE_FLUX,
            sampling=self._sampling.name,
            continuum=rows[1],
            labels=spec.array,
        )
        return view, FromSource(source, self._sampling, spec.array)

    def _node(self, spec: AtLabels, path: Path) -> tuple[View, Origin]:
        if path not in self._grids:
            self._grids[path] = _read_grid(path)
        grid = self._grids[path]
        try:
            node = int(grid.lattice.index(spec.array[None])[0])
        except DataError as error:
            raise DataError(f"{spec.text}: {str(error).removeprefix('row 0: ')}") from None
        view = View(
            name=spec.text,
            wave=grid.wave,
            flux=grid.flux[node].astype(np.float64),
            unit=SURFACE_FLUX,
            sampling="PFS pixels",
            labels=spec.array,
        )
        return view, FromGrid(grid, node)

    def _row(self, spec: Row) -> View:
        with open_set(spec.path) as spectra:
            if spec.row >= spectra.size:
                raise DataError(f"{spec.text}: the set has {spectra.size} rows, 0 to {spectra.size - 1}")
            rows = slice(spec.row, spec.row + 1)
            flux, error = spectra.read(rows)
            record = spectra.labels[spec.row]
            wave, about = spectra.wave, spectra.attributes
        noisy = None
        if self._noise is not None:
            if not {"seed", "split"} <= about.keys():
                raise DataError(
                    f"{spec.path}: does not say the seed and split of its noise; show it without a noisy draw"
                )
            draw = standard_normal(int(about["seed"]), str(about["split"]), 0, [spec.row])
            noisy = inject(torch.from_numpy(flux), torch.from_numpy(error), draw, self._noise)[0].double().numpy()
        labels = np.array([float(record[name]) for name in LABELS])
        known = ", ".join(f"{name}={value:g}" for name, value in zip(LABELS, labels, strict=True))
        return View(
            name=f"{spec.text} ({known}, i={record['mag']:.2f})",
            wave=wave,
            flux=flux[0].astype(np.float64),
            unit="flux, median 0.5",
            sampling="PFS pixels",
            error=error[0].astype(np.float64),
            noisy=noisy,
            labels=labels,
        )

    def _plain(self, spec: PlainFile) -> View:
        content = read_plain(spec.path)
        if spec.medium and content.medium and spec.medium != content.medium:
            raise DataError(f"{spec.text}: the file itself says that its wavelengths are in {content.medium}")
        medium = spec.medium or content.medium or "vacuum"
        return View(
            name=spec.text,
            wave=air.to_vacuum(content.wave) if medium == "air" else content.wave,
            flux=content.flux,
            unit="flux as in the file",
            sampling=f"as in the file ({medium})",
            error=content.error,
        )


def _read_grid(path: Path) -> NodeGrid:
    """A node grid or a pack, whichever the file is."""
    if path.is_file() and h5py.is_hdf5(path):
        with h5py.File(path) as file:
            packed = "basis" in file
            spectra = "labels" in file and "error" in file
        if spectra:
            raise DataError(f"{path}: is a spectrum set; name a row of it, such as {path}#0")
        if packed:
            return read_pack(path)
    return NodeGrid.read(path)
