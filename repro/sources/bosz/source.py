"""Source `bosz`: slices of the archive's files as spectra for the instrument."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from repro.errors import DataError
from repro.sources.bosz.manifest import Entry, Manifest
from repro.sources.bosz.settings import Settings
from repro.sources.bosz.store import require_slice
from repro.sources.fingerprint import code_fingerprint

WAVE_RANGE: Final = (6600.0, 9000.0)  # [A, vacuum] of the spectra
BLUE_END: Final = 6590.0  # [A] of the continuum blueward: 1e-4 of the filter lie beyond it

_STEP: Final = 0.05  # [A], finer than the archive's samples (0.07-0.09 A at R = 50000)
_PACKAGE: Final = Path(__file__).parents[2]
_SHAPING: Final = ("release", "release2017", "release2024", "source")
_NOT_SHAPING: Final = ("noise.py",)  # of the instrument: noise is added to nodes, it does not shape them


@dataclass(frozen=True)
class BoszSpectra:
    """Spectra of B stars at their surface, as the instrument takes them."""

    wave: Tensor  # (W,) [A] vacuum, 6600 ... 9000 uniform
    flux: Tensor  # (B, W) F_lambda [erg s^-1 cm^-2 A^-1]
    continuum: Tensor  # (B, W) the same without lines
    wave_blue: Tensor  # (2,) [A] 6590, 6600
    continuum_blue: Tensor  # (B, 2)


class BoszSource:
    """Spectra of the archive at the nodes that were fetched.

    The spectra cover the whole filter, so that the magnitude is that of the library and not, as for the embedded
    synthesizer, continued blueward. Between the archive's samples they are cubic splines, as is the published
    interpolation along a label axis.

    Args:
        settings: as the files were fetched with.
        labels: of all nodes that will be asked for, (n, 5).
        folder, manifest_path: as in `fetch_bosz`.
        device: where the spectra are put.

    Raises:
        ParameterError: a label is not on a node of the release.
        DataError: a node was not fetched; says how many, and which is the first.
    """

    name: Final = "bosz"

    def __init__(
        self,
        settings: Settings,
        labels: NDArray[np.float64],
        folder: str | Path,
        manifest_path: str | Path,
        *,
        device: str = "cpu",
    ) -> None:
        self._release = settings.open()
        self._folder = Path(folder)
        self._device = device
        self.microturbulence = self._release.microturbulence
        self._names = [self._name(row) for row in self._release.on_nodes(labels)]
        entries = Manifest(manifest_path, self._release.name).entries
        absent = [name for name in self._names if name not in entries]
        if absent:
            raise DataError(
                f"{manifest_path}: {len(absent)} of {len(self._names)} nodes were never asked for, the first is "
                f"{absent[0]}. Run `repro fetch bosz`"
            )
        self._entries = {name: entries[name] for name in self._names}
        self._wave_entry = self._archived_wave(entries, manifest_path)

    @property
    def missing(self) -> tuple[int, ...]:
        """Rows of the labels given at the start for which the archive has no model; ascending."""
        return tuple(row for row, name in enumerate(self._names) if self._entries[name].missing)

    def spectra(self, labels: NDArray[np.float64] | Tensor) -> BoszSpectra:
        """Spectra at nodes (b, 5).

        Raises:
            DataError: the archive has no model at a node, or its slice is absent or damaged; names the file.
            ParameterError: a label is not on a node.
        """
        nodes = self._release.on_nodes(torch.as_tensor(labels, dtype=torch.float64).cpu().numpy())
        parts = [self._resampled(self._name(row)) for row in nodes]
        wave = torch.from_numpy(_GRID).to(self._device)
        flux, continuum = (torch.from_numpy(np.stack(values)).to(self._device) for values in zip(*parts, strict=True))
        return BoszSpectra(
            wave=wave[_N_BLUE:],
            flux=flux[:, _N_BLUE:],
            continuum=continuum[:, _N_BLUE:],
            wave_blue=wave[[0, _N_BLUE]],
            continuum_blue=continuum[:, [0, _N_BLUE]],
        )

    def fingerprint(self) -> str:
        """SHA-256 of the slices' contents and of the code that turns them into nodes."""
        digest = hashlib.sha256(_code().encode())
        entries = self._entries | ({} if self._wave_entry is None else {"wave": self._wave_entry})
        for name in sorted(entries):
            digest.update(f"{name} {entries[name].slice_sha256}\n".encode())
        return digest.hexdigest()

    def _name(self, labels: NDArray[np.float64]) -> str:
        return self._release.path(labels).rpartition("/")[2]

    def _archived_wave(self, entries: dict[str, Entry], manifest_path: str | Path) -> Entry | None:
        path = self._release.wave_path
        if path is None:
            return None
        name = path.rpartition("/")[2]
        if name not in entries:
            raise DataError(f"{manifest_path}: the wavelength file {name} was not fetched. Run `repro fetch bosz`")
        return entries[name]

    @cached_property
    def _shared_wave(self) -> NDArray[np.float64] | None:
        """Wavelengths of all slices, None where each has its own."""
        if self._wave_entry is not None and self._release.wave_path is not None:
            return self._slice(self._release.wave_path.rpartition("/")[2], self._wave_entry)["wave"]
        grid = self._release.grid(None)
        return None if grid is None else grid.wave

    def _resampled(self, name: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Flux and continuum on the uniform grid."""
        from scipy.interpolate import CubicSpline

        entry = self._entries.get(name)
        if entry is None or entry.missing:
            why = "the archive has no such model (404)" if entry else "not among the nodes of this source"
            raise DataError(f"source bosz: {name}: {why}")
        arrays = self._slice(name, entry)
        wave = arrays["wave"] if self._shared_wave is None else self._shared_wave
        values = np.stack([arrays["flux"], arrays["continuum"]]).astype(np.float64)
        flux, continuum = CubicSpline(wave, values, axis=1)(_GRID)
        return flux, continuum

    def _slice(self, name: str, entry: Entry) -> dict[str, NDArray[np.float64]]:
        assert entry.slice_sha256 is not None  # checked when the manifest was read
        return require_slice(self._folder, name, entry.slice_sha256).arrays


_N_BLUE: Final = round((WAVE_RANGE[0] - BLUE_END) / _STEP)
_GRID: Final = BLUE_END + _STEP * np.arange(round((WAVE_RANGE[1] - BLUE_END) / _STEP) + 1)


def _code() -> str:
    instrument = _PACKAGE / "instrument"
    modules = [_PACKAGE / "sources" / "bosz" / f"{name}.py" for name in _SHAPING]
    modules += [path for path in instrument.glob("*.py") if path.name not in _NOT_SHAPING]
    tables = [path for path in (instrument / "tables").iterdir() if path.suffix != ".md" and path.is_file()]
    return code_fingerprint(_PACKAGE, modules, tables)
