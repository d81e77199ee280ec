"""The parts of the posterior computation, each against a plain one."""

import h5py
import numpy as np
import pytest
import torch
from scipy.interpolate import CubicSpline
from scipy.stats import chisquare

from repro.bounds.posterior.conditions import ConditionRule
from repro.bounds.posterior.engine import posterior
from repro.bounds.posterior.law import Law, intervals
from repro.bounds.posterior.medians import medians_along, row_medians
from repro.bounds.posterior.moments import Moments
from repro.bounds.posterior.screen import misfits
from repro.bounds.posterior.table import PosteriorTable
from repro.bounds.posterior.templates import Templates, group_members, products
from repro.errors import DataError
from repro.instrument.noise import Conditions, NoiseModel
from repro.labels import LABELS
from repro.spectra.interpolate import spline_along_axis
from repro.spectra.lattice import Lattice
from repro.spectra.sampling import draw, labels_of
from tests.bounds.posterior.toy import LAW, ToyNoise, toy_grid, toy_rule, toy_stars


@pytest.mark.parametrize("missing", [(), (3, 11, 20)])
def test_intervals_have_the_share_that_the_generator_gives_them(missing):
    lattice = toy_grid(missing=missing).lattice
    some = intervals(lattice)
    assert np.exp(some.log_prior).sum() == pytest.approx(1.0)
    table = draw("paper", 20_000, lattice, 3, "test")
    labels, axis = labels_of(table), table["interp_param"].astype(str)
    counts = np.zeros(len(some.axis))
    low, high = (lattice.labels[some.ends[:, side]] for side in (0, 1))
    for number, name in enumerate(LABELS):
        members = np.flatnonzero(some.axis == number)
        stars = labels[axis == name]
        others = [column for column in range(5) if column != number]
        same = (np.abs(stars[:, None, others] - low[members][None][:, :, others]) < 1e-9).all(axis=2)
        inside = (stars[:, None, number] >= low[members, number]) & (stars[:, None, number] < high[members, number])
        counts[members] += (same & inside).sum(axis=0)
    assert counts.sum() == 20_000
    assert chisquare(counts, 20_000 * np.exp(some.log_prior)).pvalue > 1e-3


def test_a_lattice_without_a_line_has_no_prior():
    corners = Lattice({"T_eff": (4.0, 5.0), "log_g": (1.0, 2.0), "M_H": (0.0,), "a_M": (0.0,), "C_M": (0.0,)}, (1, 2))
    with pytest.raises(DataError, match="no line with two models"):
        intervals(corners)


@pytest.mark.parametrize("pixels", [400, 401])
@pytest.mark.parametrize("steep", [0.01, 0.5])
def test_medians_along_a_cubic_are_exact(pixels, steep):
    rng = np.random.default_rng(8)
    value = 0.5 + 0.1 * rng.standard_normal((2, pixels))
    corners = np.stack([value[0], steep * rng.standard_normal(pixels), value[1], steep * rng.standard_normal(pixels)])
    corners = corners.astype(np.float32)
    places = np.linspace(0, 1, 17)
    ends = (float(np.median(corners[0])), float(np.median(corners[2])))
    x = places[:, None]
    plain = (
        (1 + 2 * x) * (1 - x) ** 2 * corners[0] + x * (1 - x) ** 2 * corners[1]
        + x**2 * (3 - 2 * x) * corners[2] + x**2 * (x - 1) * corners[3]
    )  # fmt: skip
    np.testing.assert_allclose(medians_along(corners, ends, places), np.median(plain, axis=1), rtol=3e-7)
    np.testing.assert_allclose(row_medians(corners), np.median(corners, axis=1), rtol=1e-7)


def test_misfits_along_lines_are_those_of_spline_spectra():
    """Every interval and place, against spectra of `spectra.interpolate` divided to a median of 0.5."""
    grid = toy_grid({"T_eff": (4900.0, 5000.0), "log_g": (1.0, 2.0, 3.0, 4.0), "M_H": (-0.5, 0.0)}, missing=(4,))
    stars = toy_stars(grid, 3)
    some, refinement = intervals(grid.lattice), 6
    groups = group_members(grid.lattice, some)
    assert sorted(np.concatenate(groups)) == list(range(len(some.axis)))
    cpu = torch.device("cpu")
    templates = Templates(grid.lattice, grid.flux, row_medians(grid.flux), some, groups, refinement, cpu)
    x, weights = torch.tensor(stars.x), torch.tensor(stars.error) ** -2
    places = torch.arange(refinement + 1)
    for members in groups:
        group = templates.group(members)
        result = products(group, x, weights)
        for column, member in enumerate(members):
            low, high = grid.lattice.labels[some.ends[member]]
            labels = low + (high - low) * np.arange(refinement + 1)[:, None] / refinement
            flux = spline_along_axis(grid, LABELS[some.axis[member]], labels)[0]
            flux *= 0.5 / np.median(flux, axis=1, keepdims=True)
            plain = (((x[:, None].double() - torch.tensor(flux)) ** 2) * weights[:, None].double()).sum(dim=2)
            fast = result.misfit(group, torch.arange(3), torch.full((3,), column), places)
            torch.testing.assert_close(fast, plain, rtol=2e-6, atol=1e-3)


def test_misfits_of_nodes():
    grid = toy_grid()
    flux = torch.tensor(grid.flux / np.median(grid.flux, axis=1, keepdims=True) * np.float32(0.5))
    stars, weights = toy_stars(grid, 4), torch.linspace(100.0, 900.0, flux.shape[1])
    plain = ((torch.tensor(stars.x)[:, None].double() - flux) ** 2 * weights).sum(dim=2)
    torch.testing.assert_close(misfits(torch.tensor(stars.x), flux, weights).double(), plain, rtol=1e-5, atol=1e-3)


def test_moments_are_those_of_the_density():
    """Three rows, added in two parts: truth off the nodes, on one, and below all."""
    rng = np.random.default_rng(2)
    ends = torch.tensor([[1.0, 2.0], [2.0, 3.0], [3.0, 3.0], [2.0, 2.0]], dtype=torch.float64)
    truth = np.array([1.55, 3.0, 1.0])
    moments = Moments(torch.tensor(truth), ends)
    log_density = rng.normal(size=(3, 4, 9)) * 2.0 + 700.0 * np.arange(3)[:, None, None]
    for members in ([0, 2], [1, 3]):
        rows, columns = np.repeat(np.arange(3), 2), np.tile(members, 3)
        moments.add(torch.tensor(rows), torch.tensor(columns), torch.tensor(log_density[rows, columns]))
    fine = np.linspace(0, 1, 8001)
    for row in range(3):
        density = np.exp(log_density[row] - log_density[row].max())
        hats = np.array([np.interp(fine, np.linspace(0, 1, 9), part) for part in density])
        g = ends[:, :1].numpy() + np.diff(ends.numpy(), axis=1) * fine
        weight = np.full(8001, 1 / 8000.0)
        weight[[0, -1]] *= 0.5
        total = (hats * weight).sum()
        below = (hats * weight * (g < truth[row] - 1e-12)).sum() / total
        at = (hats[2:] * weight * (np.abs(g[2:] - truth[row]) < 1e-9)).sum() / total
        mean = float(moments.mean[row])
        assert mean == pytest.approx(_trapezoid(density, ends.numpy(), lambda g: g), rel=1e-12)
        square = _trapezoid(density, ends.numpy(), lambda g, mean=mean: (g - mean) ** 2)
        assert float(moments.sd[row]) == pytest.approx(np.sqrt(square), rel=1e-9)
        assert float(moments.below[row]) == pytest.approx(below, abs=2e-4)
        assert float(moments.at[row]) == pytest.approx(at, abs=2e-4)
    assert float(moments.at[1]) > 0 == float(moments.at[0]) == float(moments.below[2])


def _trapezoid(density, ends, function):
    weight = np.full(9, 1 / 8.0)
    weight[[0, -1]] *= 0.5
    g = ends[:, :1] + np.diff(ends, axis=1) * np.linspace(0, 1, 9)
    return (density * weight * function(g)).sum() / (density * weight).sum()


@pytest.mark.parametrize("mode", ["paper", "physical"])
def test_the_instrument_s_variance_is_affine_in_the_flux(mode):
    """Factors A and B of the instrument's noise model give its errors back, for other fluxes than they came from."""
    model, law = NoiseModel(mode), Law()
    rule = ConditionRule(model, law, torch.device("cpu"))
    flux = torch.linspace(0.05, 1.4, 4096).expand(2, -1).double()
    zero_point = torch.tensor([-21.0, -21.2], dtype=torch.float64)
    limits = law.limits(model)
    for number in (0, 5):
        place = limits.mean(axis=1) + 0.5 * np.diff(limits, axis=1)[:, 0] * rule.fit.places[number]
        seeing = place[3] if mode == "physical" else 1.0
        exact = 1.7 * model(flux, zero_point, Conditions(place[0], place[1], place[2], seeing))
        torch.testing.assert_close(rule.fit.variance(flux, zero_point, number, 1.7).sqrt(), exact, rtol=1e-9, atol=0)


def test_the_integral_over_conditions_is_that_of_a_dense_sum():
    """One template; residuals of stars at the middle, beside and at a limit of the law."""
    rng = np.random.default_rng(1)
    flux = torch.full((1, 400), 0.5, dtype=torch.float64) * torch.linspace(0.7, 1.3, 400)
    zero_point = torch.tensor([-20.7], dtype=torch.float64)
    dense = toy_rule(degree=3, points=8)
    middles = np.linspace(-1 + 1 / 12, 1 - 1 / 12, 12)
    grid = np.stack(np.meshgrid(middles, middles, indexing="ij"), axis=-1).reshape(-1, 2)
    for mag in (21.4, 21.01, 21.79):
        sigma = ToyNoise()(flux, zero_point, Conditions(mag, 20.0, 0.3, 1.0))
        square = (sigma * torch.tensor(rng.standard_normal((1, 400)))) ** 2
        t = np.linspace(-1 + 1 / 120, 1 - 1 / 120, 120)
        places = np.concatenate([np.column_stack([t, np.tile(other, (120, 1))]) for other in grid])
        values = LAW.limits(ToyNoise()).mean(axis=1) + 0.5 * np.diff(LAW.limits(ToyNoise()), axis=1)[:, 0] * places
        log_p = []
        for part in np.array_split(values, 20):
            every = ToyNoise()(flux, zero_point, Conditions(*(torch.tensor(c) for c in part.T), 1.0)) ** 2
            log_p.append(-0.5 * (torch.log(every) + square / every).sum(dim=1))
        plain = float(torch.logsumexp(torch.cat(log_p), 0)) - np.log(len(values))
        q, u = [], []
        for number in range(len(dense.fit.magnitudes)):
            variance = dense.fit.variance(flux, zero_point, number, 1.0)
            u.append(torch.log(variance).mean())
            q.append((square / variance).mean() * torch.exp(u[-1]))
        fast = dense.integral(torch.stack(q), torch.stack(u), 400)[0]
        assert float(fast) == pytest.approx(plain, abs=0.06)


def test_tables_are_kept_whole(tmp_path):
    grid = toy_grid()
    table = posterior(grid, toy_stars(grid, 4), ToyNoise(), 1.0, LAW, rule=toy_rule(), refinement=4)
    path = tmp_path / "posterior.h5"
    table.write(path)
    read = PosteriorTable.read(path)
    np.testing.assert_array_equal(read.pit, table.pit)
    assert read.observers == ("flux", "weights") and read.conditions == table.conditions
    again = posterior(grid, toy_stars(grid, 4), ToyNoise(), 1.0, LAW, rule=toy_rule(), refinement=4)
    again.write(tmp_path / "again.h5")
    assert path.read_bytes() == (tmp_path / "again.h5").read_bytes()
    with h5py.File(path, "a") as file:
        del file["sd"]
        file["sd"] = table.sd[:, :-1]
    with pytest.raises(DataError, match="dataset 'sd' has shape"):
        PosteriorTable.read(path)


def test_slopes_at_the_ends_of_intervals_are_the_spline_s():
    grid = toy_grid()
    some = intervals(grid.lattice)
    groups = group_members(grid.lattice, some)
    cpu = torch.device("cpu")
    templates = Templates(grid.lattice, grid.flux, row_medians(grid.flux), some, groups, 4, cpu)
    member = int(np.flatnonzero(some.axis == LABELS.index("log_g"))[2])
    corners = np.empty((1, 4, grid.flux.shape[1]), dtype=np.float32)
    templates.corners(np.array([member]), corners)
    line = some.line[member][some.line[member] >= 0]
    spline = CubicSpline(grid.lattice.labels[line, 1], grid.flux[line].astype(float))
    low, high = grid.lattice.labels[some.ends[member], 1]
    scale = 0.5 / np.median(grid.flux[some.ends[member, 0]])
    np.testing.assert_allclose(corners[0, 1], scale * (high - low) * spline(low, 1), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(corners[0, 3], scale * (high - low) * spline(high, 1), rtol=1e-4, atol=1e-6)
