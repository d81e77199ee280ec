"""Photon, sky and detector noise of a PFS-MR observation (Subaru PFS exposure time calculator, Hirata et al. 2012).

Per exposure of t seconds and pixel, with c object electrons and s sky electrons, N exposures have the variance

    N [ c + s + (f sqrt(N) m)^2 + g mean(s) 5*15/100 + 5 (dark t + readout^2) ]

where m is the largest s among the pixel and its two neighbours. With the sums C = N c, S = N s, M = N m this is

    C + S + (f M)^2 + g mean(S) 5*15/100 + 5 N (dark t + readout^2):

the floor f of the sky subtraction does not average down; g is diffuse stray light, spread over a trace pitch of 100 um.
"""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import torch
from scipy.interpolate import CubicSpline
from torch import Tensor

from repro.errors import DataError, ParameterError
from repro.instrument import calibration
from repro.instrument.photometry import AB_ZERO, SPEED_OF_LIGHT
from repro.instrument.pixels import N_PIXELS, pixel_centres

TABLE_EPOCH: Final = "20240714"  # of the throughput in the signal and sky tables
TABLE_EXPOSURE: Final = 900.0  # [s] of the signal and sky tables
TABLE_MAGNITUDE: Final = 18.0  # [AB] of the signal tables
TABLE_SEEING: Final = 0.80  # [arcsec] of the signal tables; the aperture loss that `paper` keeps
SKY_FLOOR: Final = 0.01
STRAY_LIGHT: Final = 0.02
TRACE_PIXELS: Final = 5  # width of the extraction
PIXEL_SIZE, TRACE_PITCH = 15.0, 100.0  # [um]
DARK_CURRENT: Final = 1e-4  # [e/pixel/s]
READ_NOISE: Final = 4.0  # [e/pixel]

_ROWS: Final = 64  # spectra at a time: their intermediate results stay in the processor's cache
_MAGNITUDE: Final = 0.4 * np.log(10.0)  # of ln flux
_ANY: Final = (float("-inf"), float("inf"))

Values = float | Tensor


@dataclass(frozen=True)
class Conditions:
    """How stars are observed; each entry is one number for all spectra or one per spectrum, (B,)."""

    mag: Values  # HSC-i, AB
    zenith_angle: Values  # [deg]
    field_angle: Values  # [deg]
    seeing: Values  # FWHM at 800 nm [arcsec]; without effect in mode `paper`


class NoiseModel:
    """1-sigma errors of pixel fluxes.

    Args:
        mode: `paper` fixes the aperture loss at a seeing of 0.80 arcsec, which is what the published numbers show;
            `physical` lets the seeing act through the fraction of the light that enters the fibre.
        exposures: number of exposures N.
        exposure_time: length t of each [s].
        throughput: date of the instrument's throughput, one of the seven in tables/pfs_mr.json. The default is the one
            under which stars show the published signal-to-noise ratios (tables/README.md).
        device: where fluxes lie.

    Raises:
        ParameterError: unknown mode or throughput, or not at least one exposure of positive length.
    """

    def __init__(
        self,
        mode: Literal["paper", "physical"],
        *,
        exposures: int = 12,
        exposure_time: float = 900.0,
        throughput: str = "20231001",
        device: str | torch.device = "cpu",
    ) -> None:
        if mode not in ("paper", "physical"):
            raise ParameterError(f"noise model: mode must be `paper` or `physical`, not {mode!r}")
        if exposures < 1 or not 0 < exposure_time < float("inf"):
            raise ParameterError(f"noise model: {exposures} exposures of {exposure_time} s cannot be observed")
        self.mode = mode
        self.exposures = exposures
        self.exposure_time = exposure_time
        self._device = torch.device(device)
        nodes = {name: calibration.array(name) for name in ("zenith_deg", "field_deg", "seeing_arcsec")}
        spans = {name: (float(values[0]), float(values[-1])) for name, values in nodes.items()}
        self._limits = {
            "mag": _ANY,
            "zenith_angle": spans["zenith_deg"],
            "field_angle": spans["field_deg"],
            "seeing": spans["seeing_arcsec"] if mode == "physical" else _ANY,
        }
        zenith, field = (torch.tensor(nodes[name], device=device) for name in ("zenith_deg", "field_deg"))
        secant, airmass = _secant(zenith), _sky_airmass(zenith)
        total = exposures * exposure_time / TABLE_EXPOSURE * _throughput(throughput)
        sky = total * calibration.array("sky")
        self._log_sensitivity = _Grid(secant, field, np.log(total * _per_flux(calibration.array("signal_ab18"))))
        self._sky = _Grid(airmass, field, sky)
        self._mean_sky = _Grid(airmass, field, sky.mean(axis=-1, keepdims=True))
        if mode == "physical":
            seeing, gain = _seeing_gain()
            self._log_gain = _Grid(torch.tensor(seeing, device=device), field, gain)

    def __call__(self, flux: Tensor, zero_point: Tensor, conditions: Conditions) -> Tensor:
        """1-sigma errors in the units of `flux`.

        Args:
            flux: (B, 4096) noise-free F_lambda of any scale.
            zero_point: (B,) HSC-i magnitude that `flux` has as given (flux in erg s^-1 cm^-2 A^-1).
            conditions: of each spectrum.

        Returns:
            (B, 4096) float64, positive.

        Raises:
            ParameterError: conditions outside the tables (zenith 0-45 deg, field 0-0.65 deg, seeing 0.5-1.5 arcsec).
            DataError: `flux` is not on the 4096 pixels.
        """
        if flux.ndim != 2 or flux.shape[1] != N_PIXELS:
            raise DataError(f"noise model: spectra must have shape (B, {N_PIXELS}), not {tuple(flux.shape)}")
        columns = [self._column(name, getattr(conditions, name), len(flux)) for name in self._limits]
        columns.append(self._column("zero_point", zero_point, len(flux)))
        blocks = (slice(first, first + _ROWS) for first in range(0, max(len(flux), 1), _ROWS))
        return torch.cat([self._errors(flux[rows], *(_rows(column, rows) for column in columns)) for rows in blocks])

    def sky_floor(self, flux: Tensor, error: Tensor, zenith_angle: Values, field_angle: Values) -> Tensor:
        """The part of the errors that is the floor f of the sky subtraction: a fixed share of the sky, not chance.

        Spectra are taken as they are stored, on any scale and without magnitude or zero point: with the background b
        [electrons^2] of these angles, error^2 = (s flux + b) / s^2 gives the sensitivity s of each pixel.

        Args:
            flux: (B, 4096) noise-free flux.
            error: (B, 4096) its errors as this model gives them, in the units of `flux`.
            zenith_angle, field_angle: one number for all spectra or one per spectrum, (B,) [deg].

        Returns:
            (B, 4096) float64 in the units of `flux`, between 0 and `error`.

        Raises:
            ParameterError: angles outside the tables.
        """
        columns = [
            self._column(name, values, len(flux))
            for name, values in (("zenith_angle", zenith_angle), ("field_angle", field_angle))
        ]
        blocks = (slice(first, first + _ROWS) for first in range(0, max(len(flux), 1), _ROWS))
        return torch.cat([self._floors(flux[at], error[at], *(_rows(c, at) for c in columns)) for at in blocks])

    def _floors(self, flux: Tensor, error: Tensor, zenith: Tensor, field: Tensor) -> Tensor:
        airmass = _sky_airmass(zenith)
        sky = self._sky(airmass, field)
        background = self._variance(torch.zeros_like(sky), sky, self._mean_sky(airmass, field))
        light = flux.to(torch.float64).clamp(min=0.0)
        variance = error.to(torch.float64) ** 2
        sensitivity = (light + torch.sqrt(light**2 + 4.0 * variance * background)) / (2.0 * variance)
        return SKY_FLOOR * _neighbour_maximum(sky) / sensitivity

    def _errors(
        self, flux: Tensor, mag: Tensor, zenith: Tensor, field: Tensor, seeing: Tensor, zero_point: Tensor
    ) -> Tensor:
        log_sensitivity = self._log_sensitivity(_secant(zenith), field)  # object electrons per unit of received flux
        if self.mode == "physical":
            log_sensitivity = log_sensitivity + self._log_gain(seeing, field)
        sensitivity = torch.exp(log_sensitivity - _MAGNITUDE * (mag - zero_point)[:, None])  # per unit of `flux`
        # a spline between nodes may overshoot below zero in a saturated line; photons do not
        electrons = (sensitivity * flux).clamp(min=0.0)
        airmass = _sky_airmass(zenith)
        variance = self._variance(electrons, self._sky(airmass, field), self._mean_sky(airmass, field))
        return torch.sqrt(variance) / sensitivity

    def _variance(self, electrons: Tensor, sky: Tensor, mean_sky: Tensor) -> Tensor:
        stray = STRAY_LIGHT * mean_sky * (TRACE_PIXELS * PIXEL_SIZE / TRACE_PITCH)
        detector = TRACE_PIXELS * self.exposures * (DARK_CURRENT * self.exposure_time + READ_NOISE**2)
        floor = SKY_FLOOR * _neighbour_maximum(sky)
        return torch.addcmul(electrons + sky, floor, floor) + (stray + detector)

    def _column(self, name: str, values: Values, rows: int) -> Tensor:
        """One checked value for all spectra, (1,), or one each, (rows,)."""
        column = torch.atleast_1d(torch.as_tensor(values, dtype=torch.float64, device=self._device))
        if column.shape not in ((1,), (rows,)):
            raise DataError(f"noise model: {name} has shape {tuple(column.shape)} for {rows} spectra")
        low, high = self._limits.get(name, _ANY)
        wrong = ~(column.isfinite() & (column >= low) & (column <= high))
        if bool(wrong.any()):
            row = int(wrong.nonzero()[0])
            raise ParameterError(
                f"noise model: {name} of spectrum {row} is {float(column[row]):g};"
                f" it must be finite and within {low:g} to {high:g}, the range of the instrument's tables"
            )
        return column


def _rows(column: Tensor, rows: slice) -> Tensor:
    return column if column.shape[0] == 1 else column[rows]


class _Grid:
    """Bilinear interpolation in a table (X, Y, P), the same to the last bit for any number of points at once."""

    def __init__(self, x_nodes: Tensor, y_nodes: Tensor, table: np.ndarray) -> None:
        self._x_nodes, self._y_nodes = x_nodes, y_nodes
        self._table = torch.tensor(table.reshape(-1, table.shape[-1]), device=x_nodes.device)

    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        """Values (B, P) at points x, y, each (B,) or (1,)."""
        x, y = (values.contiguous() for values in torch.broadcast_tensors(x, y))
        (i, u), (j, v) = _bracket(self._x_nodes, x), _bracket(self._y_nodes, y)
        corner = i * len(self._y_nodes) + j
        corners = torch.stack([corner, corner + 1, corner + len(self._y_nodes), corner + len(self._y_nodes) + 1], dim=1)
        weights = torch.stack([(1 - u) * (1 - v), (1 - u) * v, u * (1 - v), u * v], dim=1)
        # a weighted sum of rows in one pass over memory
        return torch.nn.functional.embedding_bag(corners, self._table, mode="sum", per_sample_weights=weights)


def _bracket(nodes: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
    """Left neighbour among increasing `nodes` and fraction of the way to the next, both (B,)."""
    left = (torch.searchsorted(nodes, values.detach(), right=True) - 1).clamp(0, len(nodes) - 2)
    return left, (values - nodes[left]) / (nodes[left + 1] - nodes[left])


def _throughput(epoch: str) -> np.ndarray:
    """Throughput at the pixels, (4096,), relative to that of the tables; object and sky pass through it alike."""
    curves = calibration.notes()["throughput"]
    if epoch not in curves["epochs"]:
        raise ParameterError(f"noise model: throughput must be one of {', '.join(curves['epochs'])}, not {epoch!r}")
    wave = 10 * np.array(curves["wavelength_nm"])
    of, table = (np.interp(pixel_centres(), wave, curves["epochs"][date]) for date in (epoch, TABLE_EPOCH))
    return of / table


def _per_flux(signal_ab18: np.ndarray) -> np.ndarray:
    """Electrons per unit F_lambda from electrons of an AB = 18 source, which has F_lambda = F_nu c / lambda^2."""
    return signal_ab18 / (AB_ZERO * 10 ** (-0.4 * TABLE_MAGNITUDE) * SPEED_OF_LIGHT / pixel_centres() ** 2)


def _sky_airmass(zenith: Tensor) -> Tensor:
    """Airmass that scales the sky's glow, 1/sqrt(1 - 0.96 sin^2 z), of zenith angles [deg]."""
    return (1 - 0.96 * torch.sin(torch.deg2rad(zenith)) ** 2) ** -0.5


def _secant(zenith: Tensor) -> Tensor:
    """Airmass that scales the extinction, sec z, of zenith angles [deg]."""
    return 1 / torch.cos(torch.deg2rad(zenith))


def _seeing_gain() -> tuple[np.ndarray, np.ndarray]:
    """Seeings (101,) and ln of the light entering the fibre relative to the tables' seeing, (101, 5 fields, 4096).

    Between the eight tabulated seeings a cubic spline in ln G against ln seeing (leave-one-out error below 0.04 %).
    """
    seeing = np.linspace(0.5, 1.5, 101)
    spline = CubicSpline(np.log(calibration.array("seeing_arcsec")), np.log(calibration.array("fibre_fraction")))
    gain = spline(np.log(seeing)) - spline(np.log(TABLE_SEEING))
    wave = calibration.array("fibre_fraction_wave")
    rows = [np.interp(pixel_centres(), wave, row) for row in gain.reshape(-1, wave.size)]
    return seeing, np.reshape(rows, (*gain.shape[:2], N_PIXELS))


def _neighbour_maximum(values: Tensor) -> Tensor:
    """Largest of each pixel and its two neighbours, (B, P) -> (B, P)."""
    return torch.nn.functional.max_pool1d(values[:, None], kernel_size=3, stride=1, padding=1)[:, 0]
