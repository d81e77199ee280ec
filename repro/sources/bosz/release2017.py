"""Release 2017: ATLAS9 atmospheres, Kurucz's SYNTHE, vacuum wavelengths (Bohlin et al. 2017, AJ 153, 234).

Files hold a quantity of which F_lambda is pi times. Written wavelengths are rounded to 0.001 A, too coarse where lines
are resolved: they are rebuilt from the grid of the synthesis and the column only checked against it.
"""

import math
import re
import warnings
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from repro.errors import ParameterError
from repro.sources.bosz.release import SLICE, FormatError, Grid, Sliced, require_columns, snap
from repro.sources.bosz.text import Table, unpack

RESOLUTIONS: Final = (200, 500, 1000, 2000, 5000, 10000, 20000, 50000, 100000, 300000)
T_EFF: Final = np.concatenate(
    [np.arange(3500, 12001, 250.0), np.arange(12500, 20001, 500.0), np.arange(21000, 35001, 1000.0)]
)
M_H: Final = np.arange(-10, 4) / 4  # the public lists end at +0.5, the data set of the papers at +0.75
A_M: Final = np.arange(-1, 3) / 4
C_M: Final = np.arange(-3, 3) / 4

_LOWEST_LOG_G: Final = ((6000, 0.0), (8000, 1.0), (12000, 2.0), (30000, 3.0), (math.inf, 3.5))  # up to T_eff
_COLUMNS: Final = ("Wavelength", "SpecificIntensity", "Continuum")
_ROUNDING: Final = 0.006  # [A] between written and rebuilt wavelength
_SYNTHESIS: Final = 300000  # resolving power of the synthesis
_NAME: Final = re.compile(r"am([pm]\d{2})c([pm]\d{2})o([pm]\d{2})t(\d{4,5})g(\d{2})v20modrt0b(\d+)rs\.(fits|asc\.bz2)")


class Bosz2017:
    """Release 2017 at one resolution, as FITS or as text. Raises ParameterError where there are no such files."""

    name: Final = "bosz2017"
    base_url: Final = "https://archive.stsci.edu/missions/hlsp/bosz"
    wave_path: Final = None

    def __init__(self, resolution: int | str, file_format: str = "fits", microturbulence: float = 2.0) -> None:
        if resolution not in RESOLUTIONS:
            raise ParameterError(f"bosz2017: no files at R = {resolution}, only at {', '.join(map(str, RESOLUTIONS))}")
        if file_format not in ("fits", "ascii"):
            raise ParameterError(f"bosz2017: file_format must be fits or ascii, not {file_format!r}")
        if microturbulence != 2.0:
            raise ParameterError(f"bosz2017: the microturbulence is 2 km/s only, not {microturbulence:g} km/s")
        self._resolution = int(resolution)
        self._format = file_format
        self.microturbulence = microturbulence

    @property
    def sampling(self) -> float:
        return _stride(self._resolution) / _SYNTHESIS

    @property
    def file_bytes(self) -> int:
        """One float64 and two float32 a row in FITS; 9 bytes of compressed text."""
        return {"fits": 16, "ascii": 9}[self._format] * wavelengths(self._resolution).size

    def path(self, labels: NDArray[np.float64]) -> str:
        temperature, gravity, metals, alpha, carbon = (float(value) for value in labels)
        extension = {"fits": "fits", "ascii": "asc.bz2"}[self._format]
        return (
            f"{self._format}/insbroad_{self._resolution:06d}/metal_{metals:+.2f}/carbon_{carbon:+.2f}/alpha_{alpha:+.2f}/"
            f"am{_tenths(metals)}c{_tenths(carbon)}o{_tenths(alpha)}t{temperature:.0f}g{round(10 * gravity):02d}"
            f"v20modrt0b{self._resolution}rs.{extension}"
        )

    def labels(self, name: str) -> tuple[float, ...]:
        match = _NAME.fullmatch(name)
        if not match or any(
            code not in codes for code, codes in zip(match.groups(), (_CODES_M, _CODES_C, _CODES_A), strict=False)
        ):
            raise ParameterError(f"{name!r} is not the name of a file of BOSZ 2017")
        metals, carbon, alpha, temperature, gravity = match.groups()[:5]
        return float(temperature), int(gravity) / 10, _CODES_M[metals], _CODES_A[alpha], _CODES_C[carbon]

    def on_nodes(self, labels: NDArray[np.float64]) -> NDArray[np.float64]:
        require_columns(self.name, labels)
        return np.array([self._on_node(row) for row in labels]).reshape(-1, 5)

    def _on_node(self, labels: NDArray[np.float64]) -> tuple[float, ...]:
        temperature = snap(self.name, "T_eff", labels[0], T_EFF)
        lowest = next(log_g for limit, log_g in _LOWEST_LOG_G if temperature <= limit)
        rest = zip(("M_H", "a_M", "C_M"), labels[2:], (M_H, A_M, C_M), strict=True)
        gravities = np.arange(round(2 * lowest), 11) / 2
        return (temperature, snap(self.name, "log_g", labels[1], gravities), *(snap(self.name, *one) for one in rest))

    def grid(self, wave_file: Path | None = None) -> Grid:
        whole = wavelengths(self._resolution)
        rows = slice(*np.searchsorted(whole, SLICE))
        return Grid(whole.size, rows.start, whole[rows])

    def read(self, path: Path, grid: Grid | None) -> Sliced:
        grid = grid or self.grid()
        wave, *values = _read_fits(path, grid) if self._format == "fits" else _read_text(path, grid)
        _check_written(wave, grid, path.name)
        flux, continuum = ((np.pi * value.astype(np.float64)).astype(np.float32) for value in values)
        return Sliced(None, flux, continuum)


def _check_written(written: NDArray[np.float64], grid: Grid, name: str) -> None:
    """Raise FormatError unless the written wavelengths of the slice are the rebuilt ones, but for their rounding."""
    difference = written - grid.wave
    bad = np.flatnonzero(~(np.abs(difference) < _ROUNDING))
    if bad.size:
        row = bad[0]
        raise FormatError(
            f"{name}: row {grid.start + row + 1} has wavelength {written[row]:.3f} A, the grid of the release "
            f"{grid.wave[row]:.3f} A; they must agree to {_ROUNDING:g} A ({bad.size} of {grid.wave.size} rows differ, "
            f"by {np.median(difference[bad]):+.2f} A in the middle; about -2.3 A would be air wavelengths)"
        )


@cache
def wavelengths(resolution: int) -> NDArray[np.float64]:
    """All wavelengths of a file, (rows,) [A, vacuum], 1000 A to 32 um.

    SYNTHE steps by 1 + 1/300000 through the integer powers between 100 and 32000 nm; files keep every k-th sample, two
    per resolution element where the integer division allows.
    """
    step = math.log10(1 + 1 / _SYNTHESIS)
    first, last = round(math.log10(100) / step), round(math.log10(32000) / step)
    first += 10 ** (first * step) < 100
    last -= 10 ** (last * step) >= 32000
    wave = 10.0 * np.power(10.0, step * np.arange(first, last + 1, _stride(resolution), dtype=np.float64))
    wave.flags.writeable = False
    return wave


def _stride(resolution: int) -> int:
    return max(1, _SYNTHESIS // resolution // 2)


def _tenths(value: float) -> str:
    """A label as file names write it: sign letter and tenths, halves rounded away from zero."""
    return f"{'m' if value < 0 else 'p'}{int(10 * abs(value) + 0.5):02d}"


_CODES_M: Final = {_tenths(value): float(value) for value in M_H}
_CODES_A: Final = {_tenths(value): float(value) for value in A_M}
_CODES_C: Final = {_tenths(value): float(value) for value in C_M}


def _read_fits(path: Path, grid: Grid) -> list[NDArray[Any]]:
    """The three columns of the slice."""
    from astropy.io import fits

    try:
        with warnings.catch_warnings(action="ignore"), fits.open(path, memmap=False) as file:
            columns = file[1].columns.names
            if absent := [name for name in _COLUMNS if name not in columns]:
                raise FormatError(
                    f"{path.name}: column {absent[0]} is absent from HDU 1, which has {', '.join(columns)}; "
                    f"expected are {', '.join(_COLUMNS)}"
                )
            _require_rows(path.name, int(file[1].header["NAXIS2"]), grid)
            return [np.asarray(file[1].data[name][grid.start : grid.stop]) for name in _COLUMNS]
    except FormatError:
        raise
    except (OSError, ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise FormatError(f"{path.name}: cannot be read as a FITS table ({error})") from error


def _read_text(path: Path, grid: Grid) -> list[NDArray[Any]]:
    table = Table(path.name, unpack(path))
    _require_rows(path.name, table.rows, grid)
    return list(table.parse(grid.start, grid.stop, len(_COLUMNS)).T)


def _require_rows(name: str, rows: int, grid: Grid) -> None:
    if rows != grid.rows:
        raise FormatError(f"{name}: {rows} rows, the wavelength grid of the release has {grid.rows}: incomplete file")
