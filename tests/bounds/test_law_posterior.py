import numpy as np
import pytest
from scipy import stats

from repro.bounds.law_posterior import law_likelihoods, law_posteriors
from repro.bounds.law_proposal import Seen, draw_templates, first_proposal, second_proposal, surfaces
from repro.bounds.posterior.law import intervals
from repro.bounds.scaling import unit_median
from repro.errors import DataError
from repro.labels import LABELS
from repro.spectra.interpolate import spline_along_axis
from repro.spectra.lattice import Lattice
from repro.spectra.nodes import NodeGrid
from repro.spectra.noise import standard_normal
from repro.spectra.noise_laws import LAWS, Correlation, shaped
from repro.spectra.sampling import draw, labels_of

PIXELS = 48


def spectra(labels):
    """(n, 5) -> (n, P): two lines that follow temperature and gravity, weakly metallicity, on a bent continuum."""
    pixel = np.arange(PIXELS)
    warm, gravity, metals = (labels[:, 0:1] - 4500.0) / 500.0, labels[:, 1:2] - 3.0, labels[:, 2:3]
    first = np.exp(0.3 * gravity + 0.2 * metals) * np.exp(-0.5 * ((pixel - 12) / 3.0) ** 2)
    second = np.exp(-0.5 * warm + 0.1 * gravity) * np.exp(-0.5 * ((pixel - 34) / 2.0) ** 2)
    return np.exp(1.0 + warm) * (1.0 + 0.1 * warm * pixel / PIXELS) * np.exp(-0.5 * first - 0.3 * second)


def make_grid(missing=()):
    axes = dict.fromkeys(LABELS, (0.0,)) | {
        "T_eff": (4000.0, 4500.0, 5000.0),
        "log_g": (1.0, 2.0, 3.0, 4.0, 5.0),
        "M_H": (-1.0, 0.0, 0.25),
    }
    lattice = Lattice(axes, missing)
    flux = spectra(lattice.labels).astype(np.float32)
    return NodeGrid(lattice, np.arange(PIXELS) + 1.0, flux, np.zeros(lattice.size), "test", "test", 2.0)


@pytest.fixture(scope="module")
def grid():
    return make_grid()


def observe(grid, n, seed=1, level=0.06):
    """n stars of mode `paper` with errors and a sky that is half of them in places, under every law."""
    table = draw("paper", n, grid.lattice, seed, "test")
    flux, _ = spline_along_axis(grid, table["interp_param"].astype(str), labels_of(table))
    flux *= 0.5 / np.median(flux, axis=1, keepdims=True)
    rng = np.random.default_rng(seed)
    sigma = level * rng.uniform(0.7, 1.4, size=(n, 1)) * rng.uniform(0.8, 1.2, size=(1, PIXELS))
    share = np.repeat(np.where(np.arange(PIXELS) % 5 < 2, 0.8, 0.2)[None], n, axis=0)
    normal = standard_normal(seed, "test", 0, range(n), PIXELS + 7)
    x = np.stack([flux + sigma * shaped(normal, law, share).numpy() for law in LAWS]).astype(np.float32)
    return Seen(x, sigma, share), table["log_g"].copy()


def dense_covariance(law, sigma, share):
    return sigma[:, None] * Correlation(law, PIXELS, share[None]).product(np.eye(PIXELS)[None])[0] * sigma


def log_likelihoods(law, x, templates, sigma, share, known):
    """By scipy's densities, pixel by pixel or with the whole covariance matrix."""
    if not known or law == "gaussian":
        return stats.norm.logpdf(x, templates, sigma).sum(axis=1)
    if law == "student":
        return stats.t.logpdf(x, 4, templates, sigma * np.sqrt(0.5)).sum(axis=1)
    return stats.multivariate_normal.logpdf(x - templates, np.zeros(PIXELS), dense_covariance(law, sigma, share))


def brute_force(grid, seen, star, truth, points=80):
    """Mean, sd and distribution function at the truth (atoms by halves) from a fine grid on every line, (3, O, L)."""
    cells = intervals(grid.lattice)
    place = (np.arange(points) + 0.5) / points
    labels = np.repeat(grid.lattice.labels[cells.ends[:, 0]], points, axis=0)
    column = np.repeat(cells.axis, points)
    ends = np.repeat(grid.lattice.labels[cells.ends[:, 1]], points, axis=0)
    rows = np.arange(len(labels))
    labels[rows, column] += np.tile(place, len(cells.ends)) * (ends[rows, column] - labels[rows, column])
    templates, _ = spline_along_axis(grid, np.array(LABELS)[column], labels)
    templates *= 0.5 / np.median(templates, axis=1, keepdims=True)
    gravity, log_prior = labels[:, 1], np.repeat(cells.log_prior - np.log(points), points)
    result = np.empty((3, 2, len(LAWS)))
    for row, law in enumerate(LAWS):
        for observer, known in enumerate((True, False)):
            likelihood = log_likelihoods(law, seen.x[row, star], templates, seen.sigma[star], seen.share[star], known)
            weight = np.exp(log_prior + likelihood - likelihood.max())
            weight /= weight.sum()
            mean = weight @ gravity
            atom = np.abs(gravity - truth) < 1e-9
            below = weight @ ((gravity < truth) & ~atom) + 0.5 * weight @ atom
            result[:, observer, row] = mean, np.sqrt(weight @ (gravity - mean) ** 2), below
    return result


def test_posteriors_equal_those_summed_over_a_fine_grid(grid):
    seen, truth = observe(grid, 4)
    found = law_posteriors(grid, seen, LAWS, truth, np.arange(4), seed=3, draws=3000)
    for star in range(4):
        mean, sd, below = brute_force(grid, seen, star, truth[star])
        limit = 5.0 * found.monte_carlo_error[..., star] + 1e-3
        assert (np.abs(found.mean[..., star] - mean) < limit).all()
        np.testing.assert_allclose(found.sd[..., star], sd, rtol=0.08, atol=2e-3)
        on_node = np.isclose(truth[star], np.arange(1.0, 6.0)).any()
        if not on_node:
            np.testing.assert_allclose(found.pit[..., star], below, atol=0.06)
    assert (found.monte_carlo_error < 0.05).all() and (found.effective > 100).all()


def test_a_wider_proposal_and_other_draws_change_nothing(grid):
    seen, truth = observe(grid, 4)
    common = (grid, seen, LAWS, truth, np.arange(4))
    one = law_posteriors(*common, seed=3, draws=2048)
    for change in ({"temper": 0.15}, {"seed": 4}, {"draws": 8192}):
        other = law_posteriors(*common, **({"seed": 3, "draws": 2048} | change))
        error = np.hypot(one.monte_carlo_error, other.monte_carlo_error)
        assert (np.abs(one.mean - other.mean) < 6.0 * error + 1e-4).all()


def test_stars_do_not_depend_on_those_beside_them(grid):
    seen, truth = observe(grid, 5)
    rows = np.array([7, 3, 11, 0, 2])
    whole = law_posteriors(grid, seen, LAWS, truth, rows, seed=3, draws=512)
    again = law_posteriors(grid, seen, LAWS, truth, rows, seed=3, draws=512)
    np.testing.assert_array_equal(whole.mean, again.mean)
    alone = law_posteriors(grid, seen.part(slice(2, 3)), LAWS, truth[2:3], rows[2:3], seed=3, draws=512)
    np.testing.assert_allclose(alone.mean[..., 0], whole.mean[..., 2], atol=1e-3)  # rounding of the node pass


def test_likelihoods_equal_those_of_scipy(grid):
    seen, _ = observe(grid, 1)
    templates = unit_median(grid).flux
    found = law_likelihoods(templates, seen, LAWS)
    for row, law in enumerate(LAWS):
        for observer, known in enumerate((True, False)):
            expected = log_likelihoods(law, seen.x[row, 0], templates, seen.sigma[0], seen.share[0], known)
            difference = found[observer, row] - expected
            np.testing.assert_allclose(difference, difference[0], atol=2e-3)


def test_surfaces_are_the_log_likelihoods_of_nodes_and_of_straight_lines_between_them(grid):
    seen, _ = observe(grid, 3)
    flux, cells = unit_median(grid).flux, intervals(grid.lattice)
    found = surfaces(flux, cells, seen, LAWS)
    middle = 0.5 * (flux[cells.ends[:, 0]] + flux[cells.ends[:, 1]])
    observers = [(law, False) for law in LAWS] + [("sky", True), ("sky_bands", True)]
    for row, (law, known) in enumerate(observers):
        for star in range(3):
            x = seen.x[LAWS.index(law), star]
            at_nodes, between = (
                log_likelihoods(law, x, templates, seen.sigma[star], seen.share[star], known)
                for templates in (flux, middle)
            )
            offset = found.nodes[row, star, 0] - at_nodes[0]
            np.testing.assert_allclose(found.nodes[row, star] - at_nodes, offset, atol=5e-3)
            straight = found.nodes[row, star][cells.ends].mean(axis=1) + 0.25 * found.apart[row, star]
            np.testing.assert_allclose(straight - between, offset, atol=5e-3)


@pytest.mark.parametrize("missing", [(), (0, 19, 31)])
def test_intervals_have_the_shares_with_which_labels_are_drawn(missing):
    """Second route: the sampler itself, holes and what it draws again included."""
    grid = make_grid(missing)
    n, cells = 60_000, intervals(grid.lattice)
    assert np.exp(cells.log_prior).sum() == pytest.approx(1.0)
    table = draw("paper", n, grid.lattice, 5, "train")
    labels, axis = labels_of(table), table["interp_param"].astype(str)
    low, high = (grid.lattice.labels[cells.ends[:, end]] for end in (0, 1))
    for number in range(len(cells.ends)):
        column = cells.axis[number]
        others = np.delete(np.arange(5), column)
        members = (axis == LABELS[column]) & (labels[:, others] == low[number, others]).all(axis=1)
        members &= (labels[:, column] >= low[number, column]) & (labels[:, column] < high[number, column])
        expected = n * np.exp(cells.log_prior[number])
        assert abs(members.sum() - expected) < 5.0 * np.sqrt(expected)


def test_draws_have_the_weights_of_the_prior(grid):
    """Without likelihood the templates drawn are the prior itself; with any, weights bring it back."""
    cells = intervals(grid.lattice)
    flat, none = np.zeros((2, grid.lattice.size), dtype=np.float32), np.zeros((2, len(cells.ends)), dtype=np.float32)
    drawn = draw_templates(grid.lattice, cells, first_proposal(cells, flat, none, 0.5), 30_000, 0.3)
    np.testing.assert_allclose(drawn.log_weight, 0.0, atol=1e-6)
    assert drawn.labels[:, 1].mean() == pytest.approx(3.0, abs=0.01)
    assert set(drawn.column) == {0, 1, 2}
    tilted = (0.8 * grid.lattice.labels[:, 1] * np.ones((2, 1))).astype(np.float32)
    proposal = first_proposal(cells, tilted, none + 20.0, 0.5)
    drawn = draw_templates(grid.lattice, cells, proposal, 30_000, 0.3)
    likelihood = -np.abs(drawn.labels[:, 1] - 4.2) / 0.1
    second = second_proposal(proposal, drawn, (likelihood + drawn.log_weight)[None], 0.5)
    again = draw_templates(grid.lattice, cells, second, 30_000, 0.3)
    assert np.mean(np.abs(again.labels[:, 1] - 4.2) < 0.3) > 0.4
    for found in (drawn, again):
        assert found.labels[:, 1].mean() > 3.3
        weight = np.exp(found.log_weight)
        assert weight.mean() == pytest.approx(1.0, abs=0.02)
        assert (weight @ found.labels[:, 1]) / weight.sum() == pytest.approx(3.0, abs=0.03)


@pytest.mark.slow
def test_the_one_who_knows_the_law_is_calibrated_and_the_naive_one_is_not():
    grid, n = make_grid(), 120
    seen, truth = observe(grid, n, seed=8)
    found = law_posteriors(grid, seen, LAWS, truth, np.arange(n), seed=3, draws=256)
    for row, law in enumerate(LAWS):
        assert stats.kstest(found.pit[0, row], "uniform").pvalue > 1e-3, law
        inside = np.mean((found.pit[0, row] > 0.16) & (found.pit[0, row] < 0.84))
        assert abs(inside - 0.68) < 4.0 * np.sqrt(0.68 * 0.32 / n)
        loss = ((found.mean[:, row] - truth) ** 2).mean(axis=1)
        assert loss[0] <= 1.1 * loss[1]
    naive = found.pit[1, LAWS.index("sky")]
    assert np.mean((naive > 0.16) & (naive < 0.84)) < 0.68 - 3.0 * np.sqrt(0.68 * 0.32 / n)


def test_errors_that_are_not_positive_are_refused(grid):
    seen, truth = observe(grid, 2)
    seen.sigma[1, 5] = 0.0
    with pytest.raises(DataError, match="star 1, pixel 5: its error is 0"):
        law_posteriors(grid, seen, LAWS, truth, np.arange(2), seed=3)
