"""Moments against plain sums, and what follows from them against another pass over the spectra."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge as ScikitRidge
from sklearn.preprocessing import StandardScaler

from repro.errors import DataError, ParameterError
from repro.models.moments import at_level, moments
from repro.models.ols import ols_path
from repro.models.ridge import ridge_path
from repro.training.spectra import FixedSpectra, NoisySpectra
from tests.models.spectra_like import ALPHAS, Watched, problem


def centred(flux, y, weight, precision=np.float64):
    """Flux and label about their weighted means, times the root of the weight."""
    wide = flux.astype(precision)
    root = np.sqrt(weight)[:, None]
    return (wide - weight @ wide / weight.sum()) * root, (y - weight @ y / weight.sum()) * root[:, 0]


@pytest.mark.parametrize(("n", "pixels"), [(2500, 7), (600, 520), (30, 40), (5, 5), (1, 3), (3, 1)])
@pytest.mark.parametrize("weighted", [False, True])
def test_sums_over_blocks_are_sums_over_all(n, pixels, weighted):
    flux, y = problem(n, pixels)
    weight = np.random.default_rng(1).uniform(0.0, 3.0, size=n) if weighted else np.ones(n)
    found = moments(flux, y, weight=weight if weighted else None)
    x, label = centred(flux, y, weight)
    square, right = (x.T @ x, x.T @ label) if n >= pixels else (x @ x.T, label)
    scale = np.abs(square).max() + 1e-12
    assert np.abs(found.matrix.numpy() - square).max() < 1e-12 * scale
    assert np.abs(found.right.numpy() - right).max() < 1e-12 * (np.abs(right).max() + 1e-12)
    assert found.mean == pytest.approx(np.average(flux.astype(float), axis=0, weights=weight), rel=1e-14)
    assert found.deviation == pytest.approx(np.sqrt((x**2).sum(axis=0) / weight.sum()).astype(float), abs=1e-14)
    assert (found.matrix == found.matrix.T).all()


def test_a_large_constant_costs_no_digits():
    rng = np.random.default_rng(3)
    flux = (1000.0 + 1e-3 * rng.normal(size=(3000, 4))).astype(np.float32)
    x, _ = centred(flux, flux[:, 0].astype(float), np.ones(3000), np.longdouble)
    square = (x.T @ x).astype(float)
    assert np.abs(moments(flux, flux[:, 0].astype(float)).matrix.numpy() - square).max() < 1e-11 * square.max()


@pytest.mark.parametrize("pixels", [5, 1200])
def test_every_spectrum_is_asked_for_once_and_few_at_a_time(pixels):
    flux, y = problem(1100, pixels)
    source = Watched(torch.from_numpy(flux))
    moments(source, y)
    assert source.shown == list(range(1100))
    assert source.largest <= 1024


@pytest.mark.parametrize(("n", "pixels"), [(300, 40), (30, 40)])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.filterwarnings("ignore:invalid value encountered in sqrt:RuntimeWarning")  # theirs, of a constant pixel
def test_standardised_pixels_are_scikit_learn_after_its_scaler(n, pixels, weighted):
    flux, y = problem(n, pixels)
    weight = np.random.default_rng(1).uniform(0.1, 3.0, size=n) if weighted else None
    flux[:, 1] *= 100.0
    flux[:, 2] = 0.3  # constant
    scaler = StandardScaler().fit(flux.astype(np.float64), sample_weight=weight)
    path = ridge_path(moments(flux, y, weight=weight).standardised(), ALPHAS)
    for column, alpha in enumerate(ALPHAS):
        theirs = ScikitRidge(alpha).fit(scaler.transform(flux.astype(np.float64)), y, sample_weight=weight)
        estimates = theirs.predict(scaler.transform(flux.astype(np.float64)))
        assert path.predict(flux)[:, column] == pytest.approx(estimates, abs=1e-9)
        assert path.coefficients[:, column] == pytest.approx(theirs.coef_ / scaler.scale_, rel=1e-7, abs=1e-10)


@pytest.mark.parametrize(("n", "pixels", "few"), [(300, 40, 7), (30, 40, 35), (30, 40, 7)])
@pytest.mark.parametrize("standardised", [False, True])
def test_some_of_the_pixels_are_a_fit_to_them_alone(n, pixels, few, standardised):
    flux, y = problem(n, pixels)
    chosen = np.random.default_rng(4).permutation(pixels)[:few]
    every, alone = moments(flux, y), moments(flux[:, chosen], y)
    if standardised:
        every, alone = every.standardised(), alone.standardised()
    for solve in (lambda m: ridge_path(m, ALPHAS), lambda m: ols_path(m, (0.1,))):
        path, expected = solve(every.subset(chosen)), solve(alone)
        assert path.coefficients[chosen] == pytest.approx(expected.coefficients, rel=1e-8, abs=1e-9)
        assert path.intercepts == pytest.approx(expected.intercepts, abs=1e-9)
        assert not np.delete(path.coefficients, chosen, axis=0).any()


def test_a_choice_within_a_choice():
    flux, y = problem(100, 12)
    outer = moments(flux, y).standardised().subset(np.array([3, 8, 1, 11]))
    inner = ridge_path(outer.subset(np.array([11, 8])), (1.0,))
    expected = ridge_path(moments(flux, y).standardised().subset(np.array([11, 8])), (1.0,))
    assert inner.coefficients == pytest.approx(expected.coefficients, abs=1e-14)
    for wrong in ([0, 3], [3, 3], [], [-1], [12]):
        with pytest.raises(ParameterError, match="different ones of 4"):
            outer.subset(np.array(wrong))


@pytest.mark.parametrize(("n", "pixels"), [(900, 16), (12, 16)])
def test_a_noise_level_follows_from_three_others(n, pixels):
    flux, y = problem(n, pixels)
    error = np.random.default_rng(5).uniform(0.02, 0.2, size=flux.shape).astype(np.float32)

    def at(level):
        return moments(NoisySpectra(torch.from_numpy(flux), torch.from_numpy(error), level, 7), y)

    known = {level: at(level) for level in (0.0, 1.0, 2.0)}
    for level in (0.1, 0.5, 1.2, 3.0):
        made, summed = at_level(known, level), at(level)
        assert (made.matrix - summed.matrix).abs().max() < 2e-6 * summed.matrix.abs().max()
        assert made.mean == pytest.approx(summed.mean, abs=1e-7)
        paths = [ridge_path(found.standardised(), ALPHAS) for found in (made, summed)]
        assert paths[0].predict(flux) == pytest.approx(paths[1].predict(flux), abs=1e-5)
    assert (at_level(known, 1.0).matrix == known[1.0].matrix).all()
    with pytest.raises(ParameterError, match="at three levels"):
        at_level({0.0: known[0.0], 1.0: known[1.0]}, 0.5)
    with pytest.raises(ParameterError, match="at three levels"):
        at_level({**known, 2.0: moments(flux[:-1], y[:-1])}, 0.5)


def test_what_has_no_moments_is_refused():
    flux, y = problem(20, 6)
    broken = flux.copy()
    broken[3, 2] = np.inf
    with pytest.raises(DataError, match="flux to be learnt from is not finite"):
        moments(FixedSpectra(torch.from_numpy(broken)), y)
    with pytest.raises(DataError, match=r"y must hold 20 finite numbers; it has shape \(19,\)"):
        moments(flux, y[:-1])
    with pytest.raises(DataError, match="y must hold 20 finite"):
        moments(flux, np.where(y > 3, np.nan, y))
    for weight in (np.zeros(20), -np.ones(20)):
        with pytest.raises(DataError, match="sample weights"):
            moments(flux, y, weight=weight)
