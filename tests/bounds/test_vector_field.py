"""The best weighted Cramer-Rao bound for a uniform prior: closed forms, limits, and an optimum that is known."""

import numpy as np
import pytest

from repro.bounds.vector_field import BoxBound, Mesh

TARGET = 0


def mesh(*counts, usable=None):
    nodes = tuple(np.linspace(0.0, 1.0, count) for count in counts)
    return Mesh(nodes, np.ones(np.prod(counts), dtype=bool) if usable is None else usable)


def constant(shape, information):
    return np.tile(information, (np.prod(shape), 1, 1))


@pytest.mark.parametrize("crlb", [1e-3, 1e-2, 0.1, 1.0, 100.0])
def test_one_label_of_constant_information_has_a_closed_form_and_is_approached_from_below(crlb):
    """q / C - q'' = 1 with q = 0 at both ends: mean q = C (1 - tanh(a) / a), a = 1 / (2 sqrt C)."""
    a = 0.5 / np.sqrt(crlb)
    exact = crlb * (1.0 - np.tanh(a) / a)
    found = [BoxBound(mesh(n), TARGET)(constant((n,), [[1.0 / crlb]])) for n in (9, 33, 129)]
    assert found[0] < found[1] < found[2] < exact
    assert found[2] == pytest.approx(exact, rel=1e-3)


def test_high_information_gives_the_cramer_rao_bound_and_none_the_variance():
    information = np.array([[1.0, 0.6, 0.1], [0.6, 1.0, -0.3], [0.1, -0.3, 1.0]])
    shape = (41, 13, 13)
    bound = BoxBound(mesh(*shape), TARGET)
    crlb = np.linalg.inv(information)[0, 0]
    high = [bound(constant(shape, level * information)) * level / crlb for level in (1e2, 1e3, 1e4)]
    # what keeps the limit away are the edges, where fields must fall to zero between two nodes
    assert high[0] < high[1] < high[2] < 1.0 and high[2] > 0.9
    assert bound(constant(shape, 1e-9 * information)) == pytest.approx(1.0 / 12.0, rel=2e-3)


def test_the_field_found_is_the_best_by_a_dense_solution():
    rng = np.random.default_rng(3)
    shape, k = (5, 4), 2
    roots = rng.normal(size=(20, k, k))
    information = roots @ roots.swapaxes(1, 2) + 0.1 * np.eye(k)
    box = mesh(*shape)
    free, volumes = box.free(), box.volumes()
    energy = np.zeros((40, 40))
    for node in range(20):
        here = slice(k * node, k * node + k)
        energy[here, here] = volumes[node] * information[node]
    divergence = box.divergence().toarray()
    energy += divergence.T @ divergence
    mean = np.zeros((20, k))
    mean[:, TARGET] = volumes
    keep = free.ravel()
    dense = mean.ravel()[keep] @ np.linalg.solve(energy[np.ix_(keep, keep)], mean.ravel()[keep])
    assert BoxBound(box, TARGET)(information) == pytest.approx(dense, rel=1e-6)


def test_divergence_is_that_of_a_linear_field():
    """v = (2 x + y, 3 y) has the divergence 5 everywhere; it does not vanish at faces, which `divergence` allows."""
    box = Mesh((np.array([0.0, 0.2, 1.0]), np.array([0.0, 0.5, 0.7, 1.0])), np.ones(12, dtype=bool))
    x, y = (axis.ravel() for axis in np.meshgrid(*box.nodes, indexing="ij"))
    corners = box.divergence() @ np.stack([2 * x + y, 3 * y], axis=1).ravel()
    assert np.sum(corners**2) == pytest.approx(25.0)  # mean square over the box of volume 1


def brute_force_mmse(response, sigma, nodes=801, draws=4000):
    """Mean squared error of the exact posterior mean of g ~ U(0, 1) from response(g) + N(0, sigma^2)."""
    rng = np.random.default_rng(0)
    g = (np.arange(nodes) + 0.5) / nodes
    truth = rng.random(draws)
    seen = response(truth) + sigma * rng.normal(size=(2, draws))
    log_p = -0.5 * ((seen[:, :, None] - response(g)) ** 2).sum(axis=0) / sigma**2
    weights = np.exp(log_p - log_p.max(axis=1, keepdims=True))
    mean = weights @ g / weights.sum(axis=1)
    errors = (mean - truth) ** 2
    return errors.mean(), errors.std() / np.sqrt(draws)


@pytest.mark.parametrize("sigma", [0.02, 0.1, 0.4, 2.0])
def test_the_bound_lies_below_the_exact_optimum_of_a_nonlinear_problem(sigma):
    """Two pixels that answer to g by g^2 + g / 5: the information varies by a factor of 100 over the box."""
    n = 65
    g = np.linspace(0.0, 1.0, n)
    information = 2.0 * (2.0 * g + 0.2) ** 2 / sigma**2
    bound = BoxBound(mesh(n), TARGET)(information[:, None, None])
    mmse, error = brute_force_mmse(lambda x: x**2 + 0.2 * x, sigma)
    assert bound < mmse + 3.0 * error
    assert bound > 0.6 * mmse  # and is not an empty one


def test_fields_vanish_beside_nodes_without_information_and_the_bound_only_loosens():
    usable = np.ones((9, 9), dtype=bool)
    usable[4, 4] = False
    information = constant((9, 9), 50.0 * np.eye(2))
    holed = mesh(9, 9, usable=usable.ravel())
    free = holed.free().reshape(9, 9, 2)
    assert not free[3:6, 3:6].any() and free[2, 4].all()
    assert 0.0 < BoxBound(holed, TARGET)(information) < BoxBound(mesh(9, 9), TARGET)(information)


def test_without_inner_nodes_there_is_no_field_and_no_bound():
    shape = (2, 5)
    assert BoxBound(mesh(*shape), TARGET)(constant(shape, np.eye(2))) == 0.0
