"""What a trained transformer attends to and depends on: runs the network on test stars, trained, clean and untrained.

Attention is what tokens exchange, not what the estimate depends on (Jain & Wallace 2019, arXiv:1902.10186). Beside it
stand therefore the gradient of the estimate, what happens when a piece of the spectrum is taken away, and where physics
has put the information.
"""

import math
from collections.abc import Mapping
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from repro.bounds.pixel_information import pixel_information
from repro.bounds.stars import Differentiate
from repro.errors import ParameterError
from repro.experiments import attention_table as tables
from repro.experiments.attention_table import CLASSES, MAPS, Array, AttentionTable, classes_of
from repro.experiments.data import Data
from repro.labels import LABELS
from repro.models.vit import PUBLISHED, Shape, VitNetwork
from repro.progress import Report, silent
from repro.spectra.presentation import ObservedStars, present_arrays
from repro.spectra.sampling import labels_of

_TOGETHER: Final = 16  # stars of which all attention matrices are held: 200 MB in the published shape

Windows = Mapping[str, NDArray[np.bool_]]  # group -> pixels (P,)


class Attentive(Protocol):
    """A transformer that shows its attention: `VitNetwork`."""

    shape: Shape

    def __call__(self, flux: Tensor) -> Tensor:
        """Estimates (b,) of flux (b, P)."""
        ...

    def attention(self, flux: Tensor) -> Tensor:
        """Weights of flux (b, P), (b, L, H, T, T)."""
        ...


class Networks(NamedTuple):
    """One network after and before its training, and after that of another run where there was one."""

    trained: Attentive
    untrained: Attentive
    another: Attentive | None = None


class Looks(NamedTuple):
    """What one network does with n spectra; maps are the shares of an `AttentionTable`."""

    maps: Array  # (M, n, C)
    heads: Array  # (n, L, H, C) raw weights
    row_sums: tuple[float, float]
    estimates: Array  # (n,) in units of the network
    profile: Array  # (n, P) shares of the saliency, pixel by pixel


def attention_table(
    networks: Networks,
    label: tuple[float, float],
    data: Data,
    differentiate: Differentiate,
    wave: Array,
    windows: Windows,
    *,
    most: int,
    name: str,
    conditions: Mapping[str, Any] | None = None,
    report: Report = silent,
) -> AttentionTable:
    """The table of about `most` test stars: as many of each star class, from the start of the set, and the one most
    like the star whose attention was published.

    Args:
        networks: of one shape.
        label: offset and unit [dex] of what they give.
        data: of which the test stars are shown at level 1, and the validation stars give the mean flux.
        differentiate: derivatives of the spectra with respect to the five labels.
        wave: of the pixels, (P,) [A, vacuum].
        windows: pixels of each group of lines.
        most: stars.
        name: of the model.
        conditions: what else belongs to the table.
        report: called with the number of maps done and in all.

    Raises:
        ParameterError: as `spread`.
        DataError: a set or the grid is damaged, or they do not belong together.
    """
    observed, clean = chosen_stars(data, most)
    trained = networks.trained
    shown = [(trained, observed.x), (trained, clean), (networks.untrained, observed.x)]
    if networks.another is not None:
        shown.append((networks.another, observed.x))
    mean = data.val.flux.mean(axis=0, dtype=np.float64).astype(np.float32)
    looks = []
    for step, (network, flux) in enumerate(shown):
        report(step, len(shown) + 1)
        looks.append(look(network, flux, observed.error, mean, data.device))
    report(len(shown), len(shown) + 1)
    changes = occlusion(trained, observed.x, mean, windows, data.device)
    looks[0].maps[MAPS.index("occlusion")] = _shares(np.abs(changes[:, : -len(windows)]))
    report(len(shown) + 1, len(shown) + 1)
    shares, profile = _fisher(observed, differentiate, trained.shape)
    members = classes_of(observed.labels[:, LABELS.index("log_g")]).values()
    offset, unit = label
    return AttentionTable(
        model=name,
        variants=tables.VARIANTS[: len(shown)],
        maps=MAPS,
        references=tables.REFERENCES,
        groups=tuple(windows),
        wave=wave,
        windows=np.array(list(windows.values())),
        stars=observed.rows,
        labels=observed.labels,
        snr=observed.snr,
        cells_a_token=trained.shape.step // cell_pixels(trained.shape),
        values=np.array([each.maps for each in looks], dtype=np.float32),
        reference_values=shares.astype(np.float32),
        heads=np.array([[_mean(each.heads, own) for own in members] for each in looks], dtype=np.float32),
        row_sums=np.array([each.row_sums for each in looks]),
        predictions=np.array([offset + unit * each.estimates for each in looks]),
        occluded=unit * changes[:, -len(windows) :],
        flux=np.array([_mean(clean, own) for own in members], dtype=np.float32),
        profiles=np.array([[_mean(one, own) for own in members] for one in (looks[0].profile, profile)], np.float32),
        conditions={"noise": data.noise, "seed": data.seed, "level": 1.0, **(conditions or {})},
    )


def chosen_stars(data: Data, most: int) -> tuple[ObservedStars, NDArray[np.float32]]:
    """Test stars of all classes at level 1, in the order of the set, and their noise-free flux (n, P)."""
    test = data.test
    log_g = labels_of(test.table)[:, LABELS.index("log_g")]
    snr = np.median(test.flux / (data.noise * test.error), axis=1)
    chosen = {tables.published_star(log_g, snr)}
    for members in classes_of(log_g).values():
        chosen.update(np.flatnonzero(members)[: max(most // len(CLASSES), 1)].tolist())
    rows = np.array(sorted(chosen), dtype=np.intp)
    arrays = test.flux[rows], test.error[rows], test.table[rows]
    return present_arrays(*arrays, "test", data.seed, data.noise, rows), test.flux[rows]


def initial(trained: VitNetwork, seed: int) -> VitNetwork:
    """The network that a training with this seed began from."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = VitNetwork(trained.shape, len(trained.mean), (trained.mean.cpu(), trained.scale.cpu()))
    return network.to(trained.mean.device).eval()


def look(
    network: Attentive,
    flux: NDArray[np.float32],
    error: NDArray[np.float32],
    mean: NDArray[np.float32],
    device: str | torch.device = "cpu",
) -> Looks:
    """All maps of one network but `occlusion` for flux and error (n, P); see `AttentionTable`.

    Args:
        mean: flux (P,) that stands for no knowledge of a star.

    Raises:
        ParameterError: as `spread`.
    """
    cells = spread(network.shape, flux.shape[1]).to(device)
    away = torch.as_tensor(mean, device=device)
    parts = []
    for first in range(0, len(flux), _TOGETHER):
        rows = slice(first, first + _TOGETHER)
        x, sigma = (torch.as_tensor(values[rows], device=device) for values in (flux, error))
        parts.append(_looks(network, x, sigma, away, cells))
    columns = [torch.cat(column).double().cpu().numpy() for column in zip(*parts, strict=True)]
    attention, heads, sums, saliency, product, estimates, profile = columns
    none = np.full_like(saliency, np.nan)
    return Looks(
        maps=np.array([*map(_shares, (attention[:, 0], attention[:, 1], saliency, product)), none]),
        heads=heads,
        row_sums=(float(sums.min()), float(sums.max())),
        estimates=estimates,
        profile=_shares(profile),
    )


@torch.no_grad()
def occlusion(
    network: Attentive,
    flux: NDArray[np.float32],
    mean: NDArray[np.float32],
    windows: Windows,
    device: str | torch.device = "cpu",
) -> Array:
    """Change of the estimates of flux (n, P), (n, C + G) in units of the network, where a cell, and then where all
    windows of a group, show the mean flux (P,). Raises ParameterError as `spread`.
    """
    pixels = flux.shape[1]
    cells = spread(network.shape, pixels).shape[1]
    own = np.arange(pixels) // cell_pixels(network.shape) == np.arange(cells)[:, None]
    hidden = torch.from_numpy(np.vstack([own, *windows.values()])).to(device)
    away = torch.as_tensor(mean, device=device)
    stars = torch.as_tensor(flux, device=device)
    changed = torch.stack([network(torch.where(hidden, away, star)) for star in stars])
    changes: Array = (changed - network(stars)[:, None]).double().cpu().numpy()
    return changes


def cell_pixels(shape: Shape) -> int:
    """Pixels of a cell: those of a published token, or fewer, so that tokens begin where cells begin."""
    return math.gcd(shape.step, PUBLISHED.patch)


def spread(shape: Shape, pixels: int) -> Tensor:
    """Share of each token's pixels in each cell, (N, C).

    Raises:
        ParameterError: the pixels are no whole number of steps from token to token.
    """
    if pixels % shape.step:
        raise ParameterError(f"attention: {pixels} pixels are no whole number of steps of {shape.step} pixels")
    first = torch.arange(shape.tokens(pixels))[:, None] * shape.step
    pixel = torch.arange(pixels)
    inside = (pixel >= first) & (pixel < first + shape.patch)
    return inside.float().unflatten(1, (-1, cell_pixels(shape))).sum(dim=2) / shape.patch


def rollout(weights: Tensor) -> Tensor:
    """Attention rollout of weights (b, L, H, T, T), (b, T, T): how much of each token reaches each after all layers.

    Heads are averaged and half of every layer passes by it (Abnar & Zuidema 2020, arXiv:2005.00928, section 3).
    """
    layers = weights.mean(dim=2)
    own = torch.eye(layers.shape[-1], dtype=layers.dtype, device=layers.device)
    result = own.expand(len(layers), -1, -1)
    for layer in layers.unbind(dim=1):
        result = 0.5 * (layer + own) @ result
    return result


def _looks(network: Attentive, flux: Tensor, sigma: Tensor, mean: Tensor, cells: Tensor) -> tuple[Tensor, ...]:
    """Of some stars: attention and rollout (b, 2, C), heads (b, L, H, C), sums of rows, saliency and gradient times
    input (b, C), estimates (b,), and saliency by pixel (b, P).
    """
    tokens = network.attention(flux)
    cells = cells.to(tokens.dtype)
    heads = _pooled(tokens, network.shape) @ cells
    attention = torch.stack([heads.mean(dim=(1, 2)), _pooled(rollout(tokens), network.shape) @ cells], dim=1)
    sums = tokens.sum(dim=-1).flatten(1)
    estimates, gradient = _gradient(network, flux)
    profile = (gradient * sigma) ** 2
    product = (gradient * (flux - mean)).unflatten(1, (cells.shape[1], -1)).sum(dim=2).abs()
    saliency = profile.unflatten(1, (cells.shape[1], -1)).sum(dim=2)
    return attention, heads, sums, saliency, product, estimates, profile


def _pooled(weights: Tensor, shape: Shape) -> Tensor:
    """What the head's token receives from each patch, (..., N), by weights (..., T, T)."""
    return weights[..., 0, 1:] if shape.pooling == "cls" else weights.mean(dim=-2)


def _gradient(network: Attentive, flux: Tensor) -> tuple[Tensor, Tensor]:
    """Estimates (b,), and their derivatives with respect to the flux (b, P)."""
    flux = flux.clone().requires_grad_()
    with torch.enable_grad():
        estimates = network(flux)
        (gradient,) = torch.autograd.grad(estimates.sum(), flux)
    return estimates.detach(), gradient


def _fisher(stars: ObservedStars, differentiate: Differentiate, shape: Shape) -> tuple[Array, Array]:
    """Shares of the information on log g by cell, (R, n, C), and of the marginal one by pixel, (n, P)."""
    slopes = differentiate(stars.labels, stars.table["interp_param"].astype(str))
    both = pixel_information(slopes.jacobian, stars.error.astype(np.float64), LABELS.index("log_g"))
    by_cell = [_shares(each.reshape(len(each), -1, cell_pixels(shape)).sum(axis=2)) for each in both]
    return np.array(by_cell), _shares(both[1])


def _shares(values: Array) -> Array:
    """Values (n, C) >= 0 as parts of their sum; nan where they are all 0."""
    with np.errstate(invalid="ignore"):
        return values / values.sum(axis=1, keepdims=True)


def _mean(values: NDArray[np.floating[Any]], members: NDArray[np.bool_]) -> Array:
    """Mean over the finite rows of some members, in the shape of a row; nan where there are none."""
    chosen = values[members]
    finite = chosen[np.isfinite(chosen).all(axis=tuple(range(1, chosen.ndim)))]
    return finite.mean(axis=0, dtype=np.float64) if len(finite) else np.full(values.shape[1:], np.nan)
