"""Derivatives with respect to a label of whatever can be shown: exact ones, and secants like those of a lattice."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from repro.bounds.autodiff import label_jacobian
from repro.bounds.derivatives import derivative_stencil
from repro.errors import ReproError
from repro.labels import LABELS
from repro.sources.lte import LteSource
from repro.spectra.lattice import paper_5d
from repro.view.load import FromGrid, FromSource, Origin
from repro.view.spectrum import Slope, View

Span = tuple[float, float]


def with_slopes(view: View, origin: Origin, labels: Sequence[str], spans: dict[str, Span] | None = None) -> View:
    """The view with its derivatives with respect to `labels`.

    spans: for some labels the offsets between which a source shall be differenced, so that its derivative means the
        same as that of a lattice it is compared with. Without one a source that can be differentiated is.
    """
    spans = spans or {}
    return replace(view, slopes={label: _slope(origin, label, spans.get(label)) for label in labels})


def own_span(origin: Origin, label: str) -> Span | None:
    """Offsets between which an origin is differenced for want of an exact derivative; None where it need not be."""
    if isinstance(origin, FromGrid):
        return _of_grid(origin, label).span
    if origin is None or isinstance(origin.source, LteSource):
        return None
    return _lattice_span(label, float(origin.labels[LABELS.index(label)]))


def _slope(origin: Origin, label: str, span: Span | None) -> Slope:
    if origin is None:
        return Slope(None, "not available: no neighbours in the labels are known")
    if isinstance(origin, FromGrid):
        return _of_grid(origin, label)
    if span is None and isinstance(origin.source, LteSource):
        return _exact(origin, origin.source, label)
    return _secant(origin, label, span)


def _of_grid(origin: FromGrid, label: str) -> Slope:
    """The paper's own difference: secant over the two neighbouring nodes, one-sided at an edge."""
    lattice = origin.grid.lattice
    if label not in lattice.free:
        return Slope(None, f"not available: the grid has one value of {label} only")
    stencil = derivative_stencil(lattice)
    column = stencil.names.index(label)
    if not stencil.complete[origin.node]:
        return Slope(None, "not available: along some axis neither neighbour has a model")
    weights = stencil.weights[origin.node, column]
    neighbours = stencil.neighbours[origin.node, column][weights != 0.0]
    flux = origin.grid.flux[neighbours].astype(np.float64)
    places = lattice.labels[neighbours, LABELS.index(label)]
    here = lattice.labels[origin.node, LABELS.index(label)]
    span = float(places.min() - here), float(places.max() - here)
    return Slope(weights[weights != 0.0] @ flux, _between(here, span), span)


def _exact(origin: FromSource, source: LteSource, label: str) -> Slope:
    wave: list[Tensor] = []

    def flux(labels: Tensor) -> Tensor:
        spectrum = source.spectra(labels)
        wave.append(spectrum.wave)
        return spectrum.flux

    rows = label_jacobian(flux, torch.from_numpy(origin.labels)[None], [label])[0]
    return Slope(origin.sampling(wave[0], rows)[1][0], "exact")


def _secant(origin: FromSource, label: str, span: Span | None) -> Slope:
    """Difference over `span`, or over the neighbouring nodes of the paper's lattice."""
    column = LABELS.index(label)
    here = float(origin.labels[column])
    offsets = span or _lattice_span(label, here)
    ends = np.stack([origin.labels, origin.labels])
    ends[:, column] += offsets
    try:
        with torch.no_grad():
            spectrum = origin.source.spectra(ends)
    except ReproError as error:
        return Slope(None, f"not available: {error}")
    rows = origin.sampling(spectrum.wave, spectrum.flux)[1]
    return Slope((rows[1] - rows[0]) / (offsets[1] - offsets[0]), _between(here, offsets), offsets)


def _lattice_span(label: str, here: float) -> Span:
    nodes = np.array(paper_5d().axes[label])
    below, above = nodes[nodes < here - 1e-9], nodes[nodes > here + 1e-9]
    return (float(below[-1]) - here if below.size else 0.0), (float(above[0]) - here if above.size else 0.0)


def _between(here: float, span: Span) -> str:
    return f"secant {here + span[0]:g} to {here + span[1]:g}"
