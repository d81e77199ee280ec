"""Template fitting against scipy's optimiser, plain sums, the kit's own interpolation and the Cramer-Rao bound."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch
from scipy.optimize import least_squares

from repro.errors import DataError, ParameterError
from repro.models import template
from repro.models.protocol import predict
from repro.models.template import Template
from repro.models.templates import Templates
from repro.spectra.interpolate import TensorSpline, spline_along_axis
from repro.spectra.lattice import Lattice
from repro.spectra.nodes import NodeGrid
from repro.training.spectra import Validation

PIXELS = 60
# cubic splines, a parabola, a line and an axis of one node
AXES = {
    "T_eff": (4000.0, 4500.0, 5000.0, 5250.0, 6000.0),
    "log_g": (1.0, 2.0, 3.0, 4.0, 5.0),
    "M_H": (-1.0, -0.5, 0.5),
    "a_M": (0.0, 0.5),
    "C_M": (0.0,),
}
FREE = slice(0, 4)
LOW, HIGH = (np.array([nodes[end] for nodes in AXES.values()]) for end in (0, -1))
UNIT = np.array([1000.0, 1.0, 1.0, 1.0, 1.0])  # labels in numbers of order one


def spectra(labels):
    """Positive flux (n, P) of labels (n, 5): every label has a pattern of its own, none a straight line."""
    heat, gravity, metals, alpha = ((labels - [5000.0, 3.0, 0.0, 0.0, 0.0]) / [2000.0, 4.0, 2.0, 1.0, 1.0]).T[
        :4, :, None
    ]
    pixel = np.arange(PIXELS)
    lines = 0.3 * np.tanh(gravity + 0.5 * heat) * np.sin(0.9 * pixel) + 0.25 * np.sin(metals) * np.cos(1.7 * pixel)
    return 1e6 * (1.0 + heat) ** 2 * np.exp(lines + 0.2 * alpha * np.sin(2.9 * pixel) - 0.4 * heat * pixel / PIXELS)


def node_grid(missing=()):
    lattice = Lattice(AXES, missing)
    flux = spectra(lattice.labels).astype(np.float32)
    return NodeGrid(lattice, np.arange(PIXELS), flux, np.full(len(flux), -20.0), "made", "test", 2.0)


GRID = node_grid()
SPLINE = TensorSpline(GRID)


def errors(n, seed):
    """1-sigma errors (n, P): sums of two curves of wavelength, so that weights are of few shapes but not of one."""
    share = np.random.default_rng(seed).choice([0.02, 0.3, 1.0], size=(n, 1))
    return 0.01 * np.sqrt(share + (1.0 - share) * np.linspace(0.2, 4.0, PIXELS) ** 2)


def stars(n, seed, size=1.0):
    """Noisy flux with a median near 0.5 and its errors, and the labels, which lie anywhere between the nodes."""
    rng = np.random.default_rng(seed)
    labels = rng.uniform(LOW, HIGH, size=(n, 5))
    flux = spectra(labels)
    error = size * errors(n, seed + 1)
    return (
        flux * (0.5 / np.median(flux, axis=1, keepdims=True)) + error * rng.standard_normal(flux.shape),
        error,
        labels,
    )


VALIDATION = Validation(np.zeros((40, PIXELS)), np.zeros(40), errors(40, 9))


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def templates():
    return Templates.of(GRID)


def fitted(templates, weights="error"):
    return Template(templates, weights).fit(np.zeros((0, PIXELS)), np.zeros(0), validation=VALIDATION)


def own_weights(error):
    """What the two kinds of weights are of stars with these errors, (n, P) each."""
    shape = VALIDATION.error**-2.0
    mean = (shape / shape.mean(axis=1, keepdims=True)).mean(axis=0)
    return {"error": error**-2.0, "mean": np.broadcast_to(mean, error.shape)}


def misfit(x, weights, flux):
    """chi2 at the best amplitude, which `lstsq` finds."""
    root = np.sqrt(weights)
    amplitude = np.linalg.lstsq((root * flux)[:, None], root * x, rcond=None)[0][0]
    return np.sum(weights * (x - amplitude * flux) ** 2)


def test_templates_and_their_slopes_are_those_of_the_interpolation(templates):
    labels = np.random.default_rng(0).uniform(LOW, HIGH, size=(30, 5))
    labels[:4] = GRID.lattice.labels[[0, 7, 33, -1]]
    found = templates.at(torch.from_numpy(labels)).double().numpy() @ templates.basis.numpy()
    unit = (found[:, 0] / SPLINE(labels)[0]).mean()
    np.testing.assert_allclose(found[:, 0], unit * SPLINE(labels)[0], rtol=2e-6)
    for label in range(5):
        step = np.zeros(5)
        step[label] = 1e-4 * UNIT[label]
        inside = np.clip(labels, LOW + step, HIGH - step)  # on the axis of one node this leaves the lattice
        slope = templates.at(torch.from_numpy(inside)).double().numpy()[:, 1 + label] @ templates.basis.numpy()
        if label == 4:
            assert not slope.any()
            continue
        expected = (SPLINE(inside + step)[0] - SPLINE(inside - step)[0]) * unit / (2 * step[label])
        np.testing.assert_allclose(slope, expected, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize("weights", ["error", "mean"])
def test_without_a_spline_the_answer_is_the_nearest_of_all_nodes(weights):
    grid = node_grid(missing=(17, 90))
    x, error, _ = stars(25, 3, size=3.0)
    model = fitted(Templates.of(grid), weights)
    found = model.labels(x, error=error)
    for star, weight, labels in zip(x, own_weights(error)[weights], found, strict=True):
        every = [misfit(star, weight, flux.astype(float)) for flux in grid.flux]
        np.testing.assert_array_equal(labels, grid.lattice.labels[np.argmin(every)])


@pytest.mark.parametrize("weights", ["error", "mean"])
def test_an_optimiser_of_labels_and_amplitude_finds_the_same_minimum(templates, weights):
    x, error, _ = stars(10, 5, size=6.0)
    found = fitted(templates, weights).labels(x, error=error)
    on_bound = 0
    for star, weight, labels in zip(x, own_weights(error)[weights], found, strict=True):
        root = np.sqrt(weight)

        def models(points):
            flux = SPLINE(np.pad(points[:, :4], ((0, 0), (0, 1))) * UNIT)[0]
            return 1e-6 * points[:, 4:] * flux

        def residual(point, star=star, root=root):
            return root * (star - models(point[None])[0])

        def jacobian(point, root=root):
            step = 1e-7 * np.where(point[:, None] > 0, -1.0, 1.0) * np.eye(5)  # towards the inside of the lattice
            return -root[:, None] * (models(point + step) - models(point[None])).T / step.sum(axis=1)

        nodes = GRID.lattice.labels
        start = nodes[np.argmin([misfit(star, weight, flux.astype(float)) for flux in GRID.flux])]
        bounds = np.append((LOW / UNIT)[FREE], 0.0), np.append((HIGH / UNIT)[FREE], np.inf)
        first = np.clip(np.append((start / UNIT)[FREE], 0.5), bounds[0] + 1e-9, bounds[1] - 1e-9)
        theirs = least_squares(residual, first, jacobian, bounds=bounds, xtol=1e-9, ftol=1e-9)
        mine = misfit(star, weight, SPLINE(labels[None])[0][0])
        scale = mine / PIXELS  # a sigma squared, whatever the unit of the weights
        assert mine - 2.0 * theirs.cost < 2e-3 * scale
        on_bound += np.any((labels[FREE] == LOW[FREE]) | (labels[FREE] == HIGH[FREE]))
    assert on_bound >= 2  # bounds matter in this test


def test_faint_stars_end_inside_the_lattice_and_no_higher_than_the_nearest_node(templates):
    x, error, _ = stars(300, 13, size=60.0)
    found = fitted(templates).labels(x, error=error)
    assert ((found >= LOW) & (found <= HIGH)).all()
    on_nodes = (found == GRID.lattice.labels[GRID.lattice.index(GRID.lattice.snap(found))]).all(axis=1)
    assert on_nodes.mean() < 0.5  # others are in corners of the lattice
    flux = SPLINE(found)[0]
    here = np.sum(x * flux / error**2, axis=1) ** 2 / np.sum(flux**2 / error**2, axis=1)
    nodes = GRID.flux.astype(float)
    there = ((x / error**2) @ nodes.T) ** 2 / (error**-2.0 @ nodes.T**2)
    assert (here >= there.max(axis=1) * (1.0 - 1e-9)).all()


@pytest.mark.parametrize("weights", ["error", "mean"])
def test_stars_without_noise_are_found_exactly(templates, weights):
    model = fitted(templates, weights)
    on_nodes = GRID.lattice.labels[::11]
    between = on_nodes.copy()
    between[:, 1] = np.linspace(1.2, 4.7, len(between))
    flux = np.concatenate([GRID.flux[::11], spline_along_axis(GRID, "log_g", between)[0]]) / 1e6
    expected = np.concatenate([on_nodes, between])
    error = errors(len(flux), 2)
    np.testing.assert_allclose(model.labels(flux, error=error) / UNIT, expected / UNIT, atol=2e-5)
    np.testing.assert_allclose(predict(model, flux, error), expected[:, 1], atol=2e-5)


def test_amplitude_and_order_of_the_stars_do_not_matter(templates, monkeypatch):
    x, error, _ = stars(30, 7)
    model = fitted(templates)
    whole = model.labels(x, error=error)
    np.testing.assert_array_equal(model.labels(x, error=error), whole)
    np.testing.assert_allclose(model.labels(3.0 * x, error=3.0 * error), whole, rtol=1e-6, atol=1e-6)
    monkeypatch.setitem(template._STARS, "cpu", 7)
    monkeypatch.setitem(template._AT_ONCE, "cpu", 3)
    np.testing.assert_allclose(model.labels(x[::-1], error=error[::-1])[::-1], whole, rtol=1e-6, atol=1e-6)


def test_weights_are_the_stars_own_or_those_of_all(templates):
    x, error, _ = stars(12, 8)
    other = errors(12, 77)
    model = fitted(templates, "mean")
    assert not model.uses_error
    np.testing.assert_array_equal(model.labels(x, error=error), model.labels(x, error=other))
    model = fitted(templates)
    assert model.uses_error
    unlike = np.abs(own_weights(error)["error"] / own_weights(other)["error"]).std(axis=1) > 0.1
    assert (model.labels(x, error=error) != model.labels(x, error=other)).any(axis=1)[unlike].all()


def test_errors_of_zero_weigh_all_pixels_alike(templates):
    x, error, _ = stars(10, 4)
    silent = VALIDATION._replace(error=np.zeros((5, PIXELS)))
    even = VALIDATION._replace(error=np.ones((5, PIXELS)))
    for weights, given in product(("error", "mean"), (0.0, 1.0)):
        models = [Template(templates, weights).fit(x, x, validation=known) for known in (silent, even)]
        first, second = (model.labels(x, error=np.full_like(error, given)) for model in models)
        np.testing.assert_array_equal(first, second)


def test_scatter_of_a_bright_star_is_the_cramer_rao_bound(templates):
    truth = np.array([[4800.0, 2.6, -0.2, 0.25, 0.0]])
    flux = SPLINE(truth)[0]
    scale = 0.5 / np.median(flux)
    error = 0.2 * errors(1, 6)
    slopes = [scale * flux[0]]  # by the amplitude, and by each free label
    for label in range(4):
        step = np.zeros(5)
        step[label] = 1e-3 * UNIT[label]
        slopes.append(scale * (SPLINE(truth + step)[0] - SPLINE(truth - step)[0])[0] / 2e-3)
    whitened = np.array(slopes) / error
    bound = np.sqrt(np.diag(np.linalg.inv(whitened @ whitened.T)))[1:]
    draws = 1500
    noise = np.random.default_rng(11).standard_normal((draws, PIXELS))
    found = fitted(templates).labels(scale * flux + error * noise, error=np.repeat(error, draws, axis=0))
    deviation = (found - truth)[:, FREE] / UNIT[FREE]
    # the standard error of a standard deviation is 1 / sqrt(2 n) of it
    np.testing.assert_allclose(deviation.std(axis=0) / bound, 1.0, atol=4.0 / np.sqrt(2.0 * draws))
    assert (np.abs(deviation.mean(axis=0)) < 4.0 * bound / np.sqrt(draws)).all()


def test_fewer_directions_than_nodes_move_labels_by_less_than_the_noise():
    x, error, _ = stars(20, 12)
    whole, fewer = (fitted(Templates.of(GRID, rank)).labels(x, error=error) for rank in (PIXELS, 24))
    assert not np.array_equal(whole, fewer)
    np.testing.assert_allclose(fewer[:, 1], whole[:, 1], atol=0.02)


@pytest.mark.parametrize("missing", [(), (5,)])
def test_a_stored_model_says_the_same(missing, tmp_path):
    x, error, _ = stars(20, 3)
    for weights in ("error", "mean"):
        model = fitted(Templates.of(node_grid(missing)), weights)
        for name in ("first", "second"):
            model.save(tmp_path / f"{name}.npz")
        assert (tmp_path / "first.npz").read_bytes() == (tmp_path / "second.npz").read_bytes()
        again = Template.load(tmp_path / "first.npz")
        assert again.uses_error == model.uses_error
        np.testing.assert_array_equal(again.labels(x, error=error), model.labels(x, error=error))
    with pytest.raises(DataError, match="not fitted, there is nothing to save"):
        Template(Templates.of(GRID)).save(tmp_path / "third.npz")


def test_wrong_input_is_named(templates):
    x, error, _ = stars(3, 0)
    with pytest.raises(ParameterError, match="weights must be error or mean, not 'both'"):
        Template(templates, "both")
    with pytest.raises(ParameterError, match="validation data with errors are needed"):
        Template(templates).fit(x, x, validation=VALIDATION._replace(error=None))
    with pytest.raises(DataError, match="not fitted"):
        Template(templates).predict(x, error=error)
    model = fitted(templates)
    with pytest.raises(DataError, match=r"60 pixels a star; its shape is \(3, 59\)"):
        model.predict(x[:, 1:], error=error[:, 1:])
    with pytest.raises(DataError, match="flux must be finite"):
        model.predict(np.where(x == x[1, 4], np.nan, x), error=error)
    with pytest.raises(DataError, match="need the error of every pixel"):
        model.predict(x)
    wrong = error.copy()
    wrong[2, 7] = -1.0
    with pytest.raises(DataError, match="error of star 2 in pixel 7 is -1; it must be positive and finite"):
        model.predict(x, error=wrong)
    wrong = error.copy()
    wrong[1, 10:20] *= 10.0
    with pytest.raises(DataError, match="errors of star 1 run with wavelength as no sum"):
        model.predict(x, error=wrong)
    with pytest.raises(DataError, match=r"errors must have 60 pixels a star; their shape is \(40, 59\)"):
        Template(templates).fit(x, x, validation=VALIDATION._replace(error=VALIDATION.error[:, 1:]))


def test_a_grid_of_one_model_names_its_labels():
    axes = {name: (values[0],) for name, values in AXES.items()}
    one = replace(GRID, lattice=Lattice(axes), flux=GRID.flux[:1], zero_point=GRID.zero_point[:1])
    x, error, _ = stars(2, 0)
    np.testing.assert_array_equal(fitted(Templates.of(one)).labels(x, error=error), np.tile(LOW, (2, 1)))
