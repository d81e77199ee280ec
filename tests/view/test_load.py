"""Nodes, rows, sources and files become views, and their derivatives are those of other routes."""

import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from repro.bounds.derivatives import lattice_derivatives
from repro.errors import DataError, ParameterError
from repro.sources.bosz.fetch import fetch_bosz, nodes_of
from repro.sources.bosz.settings import Settings
from repro.spectra.lattice import Lattice
from repro.spectra.nodes import NodeGrid
from repro.spectra.noise import standard_normal
from repro.spectra.pack import write_pack
from repro.spectra.store import open_set
from repro.view import load
from repro.view.compose import Wish, pair, views
from repro.view.load import FromSource, Loader, Sampling
from repro.view.slopes import own_span, with_slopes
from tests.sources import bosz_fakes as fakes
from tests.sources.server import serve
from tests.spectra.smooth import exact, small_lattice

NODE = "T_eff=5000,log_g=3,M_H=0"


def test_a_node_and_its_lattice_derivative(grid_path):
    shown = with_slopes(*Loader()(f"{grid_path}:{NODE}"), ["log_g", "a_M"])
    labels = np.array([[5000.0, 3.0, 0.0, 0.0, 0.0]])
    np.testing.assert_allclose(shown.flux, exact(labels)[0][0], rtol=1e-6)
    grid = NodeGrid.read(grid_path)
    node = grid.lattice.index(labels)[0]
    expected = lattice_derivatives(grid.flux, grid.lattice)[node, grid.lattice.free.index("log_g")]
    np.testing.assert_allclose(shown.slopes["log_g"].values, expected, rtol=1e-9, atol=1e-9 * np.abs(expected).max())
    assert shown.slopes["log_g"].span == (-1.0, 1.0) and shown.slopes["log_g"].how == "secant 2 to 4"
    assert shown.slopes["a_M"].values is None and "one value of a_M only" in shown.slopes["a_M"].how


def test_a_node_at_the_edge_is_differenced_to_one_side(grid_path):
    shown, origin = Loader()(f"{grid_path}:T_eff=5000,log_g=5,M_H=0")
    assert own_span(origin, "log_g") == (-1.0, 0.0)
    slope = with_slopes(shown, origin, ["log_g"]).slopes["log_g"]
    below, here = exact(np.array([[5000.0, 4.0, 0.0, 0.0, 0.0], [5000.0, 5.0, 0.0, 0.0, 0.0]]))[0]
    np.testing.assert_allclose(slope.values, here - below, atol=1e-6 * here.max())


def test_a_pack_is_a_node_grid_too(grid_path, tmp_path):
    grid = NodeGrid.read(grid_path)
    axes = {**grid.lattice.axes, "T_eff": (5000.0,), "M_H": (0.0,)}
    rows = grid.lattice.index(Lattice(axes).labels)
    few = replace(grid, lattice=Lattice(axes), flux=grid.flux[rows], zero_point=grid.zero_point[rows])
    write_pack(few, tmp_path / "pack.h5")
    loaded, plain = (Loader()(f"{path}:{NODE}")[0] for path in (tmp_path / "pack.h5", grid_path))
    np.testing.assert_allclose(loaded.flux, plain.flux, rtol=2e-4)


def test_a_row_with_its_error_and_one_noisy_draw(set_path):
    shown, origin = Loader(noise=2.0)(f"{set_path}#1")
    with open_set(set_path) as spectra:
        flux, error = (values[0] for values in spectra.read(slice(1, 2)))
        assert shown.labels[0] == spectra.labels["T_eff"][1]
    assert shown.flux.tolist() == flux.tolist() and shown.error.tolist() == error.tolist()
    normal = standard_normal(42, "test", 0, [1])[0].numpy()  # the presentation that models see of this row
    np.testing.assert_allclose((shown.noisy - shown.flux) / shown.error, 2.0 * normal, atol=2e-4)
    assert Loader()(f"{set_path}#1")[0].noisy is None
    assert "not available" in with_slopes(shown, origin, ["log_g"]).slopes["log_g"].how


def test_a_set_that_does_not_say_its_seed_has_no_noisy_draw(set_path, tmp_path):
    shutil.copy(set_path, tmp_path / "set.h5")
    with h5py.File(tmp_path / "set.h5", "r+") as file:
        del file.attrs["seed"]
    with pytest.raises(DataError, match=r"set.h5: does not say the seed and split of its noise"):
        Loader(noise=1.0)(f"{tmp_path / 'set.h5'}#0")
    assert Loader()(f"{tmp_path / 'set.h5'}#0")[0].noisy is None


def test_a_file_in_air(tmp_path):
    path = tmp_path / "star.csv"
    path.write_text("8498.02,1\n8542.09,0.5\n8662.14,1\n")
    np.testing.assert_allclose(Loader()(f"{path}:air")[0].wave, [8500.35, 8544.44, 8664.52], atol=0.012)
    assert Loader()(str(path))[0].wave[0] == 8498.02


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{grid}:T_eff=5100,log_g=3,M_H=0", r"nodes.h5:T_eff=5100,log_g=3,M_H=0: T_eff = 5100 is not a node"),
        ("{set}:T_eff=5000,log_g=3,M_H=0", r"is a spectrum set; name a row of it, such as .*test.h5#0"),
        ("{set}#3", r"the set has 3 rows, 0 to 2"),
        ("{grid}#3", r"dataset .* is missing"),
        ("absent.h5#0", r"absent.h5: no such file"),
        ("absent.h5:T_eff=5000,log_g=3,M_H=0", r"absent.h5: no such file"),
    ],
)
def test_what_is_not_there_is_named(grid_path, set_path, text, said):
    with pytest.raises(DataError, match=said):
        Loader()(text.format(grid=grid_path, set=set_path))


@pytest.mark.parametrize("resolution", ["pfs2", "nan", "-3", "10", "1e9"])
def test_resolution_is_checked(resolution):
    with pytest.raises(ParameterError, match=f"resolution '{resolution}' is neither pfs, native nor"):
        Loader(resolution=resolution)


def test_a_gaussian_line_broadens_in_quadrature():
    wave = torch.arange(7900.0, 8100.0, 0.05, dtype=torch.float64)
    line = torch.exp(-0.5 * ((wave - 8000.0) / 0.5) ** 2)
    out, rows = Sampling("5000")(wave, torch.stack([line, torch.ones_like(line)]))
    np.testing.assert_allclose(rows[1], 1.0, rtol=1e-12)
    weight = rows[0] * np.gradient(out)
    sigma = np.sqrt((weight * (out - 8000.0) ** 2).sum() / weight.sum())
    np.testing.assert_allclose(sigma, np.hypot(0.5, 8000.0 / 5000.0 / 2.3548), rtol=2e-3)
    np.testing.assert_allclose(weight.sum(), 0.5 * np.sqrt(2.0 * np.pi), rtol=1e-3)


class _Quadratic:
    """A source whose flux is 1 + log_g^2 at all wavelengths; it has no models beyond log g 5."""

    name = "quadratic"
    microturbulence = 2.0

    def fingerprint(self):
        return "quadratic"

    def spectra(self, labels):
        if (labels[:, 1] > 5.0).any():
            raise DataError("no model beyond log g 5")
        wave = torch.arange(7090.0, 8860.0, 0.1, dtype=torch.float64)
        rows = 1.0 + torch.from_numpy(labels[:, 1:2]) ** 2 + 0.0 * wave
        return type("Spectrum", (), {"wave": wave, "flux": rows, "continuum": rows})


@pytest.mark.parametrize("resolution", ["pfs", "native", "3000"])
def test_secants_of_a_source(resolution, grid_path):
    labels = np.array([5000.0, 2.25, 0.0, 0.0, 0.0])
    origin = FromSource(_Quadratic(), Sampling(resolution), labels)
    shown = Loader()(f"{grid_path}:{NODE}")[0]
    own = with_slopes(shown, origin, ["log_g"]).slopes["log_g"]
    assert own.span == (-0.25, 0.25)  # to the paper's neighbouring nodes, 2 and 2.5
    np.testing.assert_allclose(own.values, 4.5, rtol=1e-12)
    wide = with_slopes(shown, origin, ["log_g"], {"log_g": (-1.0, 2.0)}).slopes["log_g"]
    np.testing.assert_allclose(wide.values, 2 * 2.25 + 1.0, rtol=1e-12)  # a secant of a parabola
    lost = with_slopes(shown, origin, ["log_g"], {"log_g": (-1.0, 4.0)}).slopes["log_g"]
    assert lost.values is None and lost.how == "not available: no model beyond log g 5"


def test_fetched_nodes_of_an_archive(tmp_path, monkeypatch):
    """From files on a server to views: flux through the instrument, continuum, and the secant over lattice steps."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(load, "Settings", partial(Settings, resolution=2000))
    labels = np.array([[5000.0, g, 0.0, 0.0, 0.0] for g in (2.0, 2.5, 3.0)])
    wave = fakes.wave2017(2000)
    with serve() as archive:
        settings = Settings(release=2017, resolution=2000, base_url=archive.address)
        for node in nodes_of(settings.open(), labels):
            model = fakes.spectrum(wave, temperature=node.labels[0], depth=0.2 * node.labels[1], width=4.0)
            archive.files[f"/{node.path}"] = fakes.fits2017(wave, *model)
        fetch_bosz(settings, labels, Path("data/bosz/2017"), Path("data/manifests/bosz2017.json")).require_success()
    shown = with_slopes(*Loader()("bosz:T_eff=5000,log_g=2.5,M_H=0"), ["log_g", "M_H"])
    continuum = fakes.planck(shown.wave, 5000.0)
    np.testing.assert_allclose(shown.continuum, continuum, rtol=1e-4)
    depth = 1.0 - shown.flux / continuum  # goes with log g alone
    assert depth.max() > 0.3
    expected = -continuum * depth / 2.5
    slope = shown.slopes["log_g"]
    assert slope.span == (-0.5, 0.5)
    np.testing.assert_allclose(slope.values, expected, atol=1e-3 * np.abs(expected).max())
    assert shown.slopes["M_H"].values is None and "never asked for" in shown.slopes["M_H"].how
    with pytest.raises(DataError, match="nodes were never asked for"):
        Loader()("bosz:T_eff=5000,log_g=4,M_H=0")


@pytest.mark.slow
def test_lte_exact_and_secant_derivatives_agree():
    """Autodiff through the synthesizer against a difference over 0.1 dex; a pair's derivatives mean the same."""
    load = Loader()
    shown, origin = load("lte:T_eff=5000,log_g=3,M_H=0")
    assert shown.wave.size == 4096 and shown.continuum is not None
    exactly = with_slopes(shown, origin, ["log_g"]).slopes["log_g"]
    nearly = with_slopes(shown, origin, ["log_g"], {"log_g": (-0.05, 0.05)}).slopes["log_g"]
    assert exactly.how == "exact" and nearly.how == "secant 2.95 to 3.05"
    scale = np.abs(exactly.values - np.median(exactly.values)).max()
    assert np.abs(exactly.values - nearly.values).max() < 0.01 * scale


def test_a_pair_is_on_one_grid_cut_and_scaled(grid_path, set_path):
    wish = Wish(between=(8400.0, 8500.0), derivatives=("log_g",))
    one, other, extra = pair(f"{grid_path}:{NODE}", f"{set_path}#0", wish)
    assert extra == "" and one.wave.tolist() == other.wave.tolist()
    assert one.wave[0] >= 8400.0 and one.wave[-1] <= 8500.0
    whole = views([f"{grid_path}:{NODE}"], Wish())[0][0]
    inside = (whole.wave >= 8400.0) & (whole.wave <= 8500.0)
    np.testing.assert_array_equal(one.flux, whole.flux[inside])  # the median is that of the whole spectrum
    assert views([f"{set_path}#0"], Wish(scale="continuum"))[1] == " (fitted)"


def test_lattice_of_the_fixture_is_what_the_numbers_above_assume():
    assert small_lattice().axes["log_g"] == (1.0, 2.0, 3.0, 4.0, 5.0)
