"""Release 2024: MARCS and ATLAS9 atmospheres, Synspec, air wavelengths (Meszaros et al. 2024, A&A 688, A197).

Files hold the Eddington flux H, F_lambda = 4 pi H. Those broadened to a resolution share the wavelengths of one
archived file; those of the original synthesis (R = `orig`) have their own.
"""

import math
import re
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from repro.errors import ParameterError
from repro.sources.bosz.release import FormatError, Grid, Sliced, cut, require_columns, snap
from repro.sources.bosz.text import Table, unpack

RESOLUTIONS: Final = (500, 1000, 2000, 5000, 10000, 20000, 50000, "orig")
T_EFF: Final = np.concatenate(
    [np.arange(2800, 4001, 100.0), np.arange(4250, 12001, 250.0), np.arange(12500, 16001, 500.0)]
)
LOG_G: Final = np.arange(-1, 12) / 2
M_H: Final = np.arange(-10, 4) / 4
A_M: Final = np.arange(-1, 3) / 4
C_M: Final = np.arange(-3, 3) / 4
MICROTURBULENCES: Final = (0, 1, 2, 4)  # [km/s]

_ATLAS_FROM: Final = 7500.0  # [K]; up to 8000 K MARCS models exist as well, ATLAS9 is taken
_SPHERICAL_TO: Final = 3.0  # log g of MARCS
_SAMPLES: Final = 15 / math.log(640)  # per resolution element
_GAP: Final = 1.5  # samples
_COARSEST_ORIGINAL: Final = 2.5e-5  # relative distance of two samples of the original synthesis: 0.2 A
_VACUUM_BELOW: Final = 2000.0  # [A]
_NAME: Final = re.compile(
    r"bosz2024_(ms|mp|ap)_t(\d{4,5})_g([+-]\d\.\d)_m([+-]\d\.\d\d)_a([+-]\d\.\d\d)_c([+-]\d\.\d\d)_v([0124])"
    r"_r(\d+_resam|orig_noresam)\.txt\.gz"
)


class Bosz2024:
    """Release 2024 at one resolution and microturbulence. Raises ParameterError where there are no such files."""

    name: Final = "bosz2024"
    base_url: Final = "https://archive.stsci.edu/hlsps/bosz/bosz2024"

    def __init__(self, resolution: int | str, microturbulence: float = 2.0) -> None:
        if resolution not in RESOLUTIONS:
            raise ParameterError(f"bosz2024: no files at R = {resolution}, only at {', '.join(map(str, RESOLUTIONS))}")
        if microturbulence not in MICROTURBULENCES:
            raise ParameterError(
                f"bosz2024: no files with a microturbulence of {microturbulence:g} km/s, only "
                f"{', '.join(map(str, MICROTURBULENCES))}"
            )
        self._resolution = resolution
        self.microturbulence = float(microturbulence)

    @property
    def sampling(self) -> float:
        return _COARSEST_ORIGINAL if self._resolution == "orig" else 1 / (_SAMPLES * int(self._resolution))

    @property
    def file_bytes(self) -> int:
        """About 5 bytes of compressed text a row."""
        return 70 * (600_000 if self._resolution == "orig" else int(self._resolution))

    @property
    def wave_path(self) -> str | None:
        if self._resolution == "orig":
            return None
        return f"wavelength_grids/bosz2024_wave_r{self._resolution}.txt"

    def path(self, labels: NDArray[np.float64]) -> str:
        temperature, gravity, metals, alpha, carbon = (float(value) + 0.0 for value in labels)
        marcs = "ms" if gravity <= _SPHERICAL_TO else "mp"
        atmosphere = "ap" if temperature >= _ATLAS_FROM else marcs
        kind = "noresam" if self._resolution == "orig" else "resam"
        return (
            f"r{self._resolution}/m{metals:+.2f}/bosz2024_{atmosphere}_t{temperature:.0f}_g{gravity:+.1f}_m{metals:+.2f}"
            f"_a{alpha:+.2f}_c{carbon:+.2f}_v{self.microturbulence:.0f}_r{self._resolution}_{kind}.txt.gz"
        )

    def labels(self, name: str) -> tuple[float, ...]:
        match = _NAME.fullmatch(name)
        if not match:
            raise ParameterError(f"{name!r} is not the name of a file of BOSZ 2024")
        return tuple(float(value) for value in match.groups()[1:6])

    def on_nodes(self, labels: NDArray[np.float64]) -> NDArray[np.float64]:
        require_columns(self.name, labels)
        axes = {"T_eff": T_EFF, "log_g": LOG_G, "M_H": M_H, "a_M": A_M, "C_M": C_M}
        return np.array(
            [[snap(self.name, *one) for one in zip(axes, row, axes.values(), strict=True)] for row in labels]
        ).reshape(-1, 5)

    def grid(self, wave_file: Path | None) -> Grid | None:
        """Wavelengths as archived: they hold where they differ from the published formula."""
        if wave_file is None:
            return None
        table = Table(wave_file.name, unpack(wave_file))
        whole = vacuum(table.parse(0, table.rows, 1)[:, 0])
        rows = cut(whole, wave_file.name, _GAP * self.sampling)
        return Grid(table.rows, rows.start, whole[rows])

    def read(self, path: Path, grid: Grid | None) -> Sliced:
        table = Table(path.name, unpack(path))
        if grid is None:
            values = table.parse(0, table.rows, 3)
            whole = vacuum(values[:, 0])
            rows = cut(whole, path.name, _COARSEST_ORIGINAL)
            return Sliced(whole[rows], *_surface_flux(values[rows, 1:]))
        if table.rows != grid.rows:
            raise FormatError(f"{path.name}: {table.rows} rows, the wavelength file has {grid.rows}: incomplete file")
        return Sliced(None, *_surface_flux(table.parse(grid.start, grid.stop, 2)))


def vacuum(wave: NDArray[np.float64]) -> NDArray[np.float64]:
    """Vacuum wavelengths [A] of those of the release: air above 2000 A, vacuum below.

    Inverse of Birch & Downs (1994, Metrologia 31, 315) as VALD computes it: N. Piskunov in Ryabchikova et al. 2015,
    Phys. Scr. 90, 054005.
    """
    squared = (1e4 / wave) ** 2  # wave number [1/um^2]
    terms = 2.408926869968e-2 / (130.1065924522 - squared) + 1.599740894897e-4 / (38.92568793293 - squared)
    return np.where(wave > _VACUUM_BELOW, (1 + 8.336624212083e-5 + terms) * wave, wave)


def _surface_flux(eddington: NDArray[np.float64]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """F_lambda and its continuum from the columns (W, 2) of H."""
    flux, continuum = (4 * np.pi * eddington.T).astype(np.float32)
    return flux, continuum
