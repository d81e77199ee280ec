"""Imported sets pass the kit's own schema; imported nodes have the zero points that their errors were made with."""

import hashlib

import h5py
import numpy as np
import pytest
import torch

from repro.errors import DataError, ParameterError
from repro.instrument.noise import Conditions, NoiseModel
from repro.instrument.pixels import N_PIXELS, pixel_centres
from repro.labels import LABELS
from repro.sources.hdf5.importer import _whole_chunks, fingerprint, import_nodes, import_set, zero_points
from repro.spectra.generate import normalise
from repro.spectra.sampling import COLUMNS, CONDITIONS
from repro.spectra.schemas import validate_set
from repro.spectra.store import open_set
from tests.sources import author


@pytest.fixture
def path(tmp_path):
    return tmp_path / "dataset.h5"


def imported(paths, out, n=None, **options):
    summary = import_set(paths, out, n, split="test", **options)
    with open_set(out) as spectra:
        return summary, spectra.labels, *spectra.read(), spectra.attributes


def test_a_set_of_shards_passes_the_schema(path, tmp_path):
    shards = [author.write(path.with_name(f"{k}.h5"), n, seed=k) for k, n in enumerate((21, 5, 20))]
    reported = []
    summary, table, flux, error, attributes = imported(
        shards, tmp_path / "test.h5", 40, progress=lambda *counts: reported.append(counts)
    )
    assert validate_set(tmp_path / "test.h5", "test")["n"] == summary.n == 40 and reported[-1] == (40, 40)
    theirs = [author.spectra(n, seed=k) for k, n in enumerate((21, 5, 20))]
    np.testing.assert_allclose(flux, np.concatenate([f for f, _ in theirs])[:40], rtol=1e-6)
    np.testing.assert_allclose(error, np.concatenate([e for _, e in theirs])[:40], rtol=1e-6)
    frames = [author.params(n, seed=k) for k, n in enumerate((21, 5, 20))]
    for name in (*LABELS, "mag", "seeing", "target_zenith_angle", "moon_zenith_angle"):
        np.testing.assert_array_equal(table[name], np.concatenate([frame[name] for frame in frames])[:40])
    assert attributes["source"] == "hdf5" and attributes["files"] == "0.h5,1.h5,2.h5"
    hashes = "".join(hashlib.sha256(shard.read_bytes()).hexdigest() + "\n" for shard in shards)
    assert attributes["fingerprint"] == fingerprint(shards) == hashlib.sha256(hashes.encode()).hexdigest()


def test_files_beyond_those_needed_are_checked_but_do_not_count(path, tmp_path):
    first, second = author.write(path), author.write(path.with_name("more.h5"), seed=2)
    *_, attributes = imported([first, second], tmp_path / "test.h5", 8)
    assert attributes["files"] == "dataset.h5" and attributes["fingerprint"] == fingerprint([first])
    second.write_text("broken")
    with pytest.raises(DataError, match="more.h5: cannot be opened"):
        imported([first, second], tmp_path / "test.h5", 8)


def test_the_snr_is_computed_anew_and_compared_with_that_of_the_file(path, tmp_path):
    flux, error = author.spectra(8)
    snr = np.percentile(flux.astype("f4").astype("f8") / error.astype("f4"), 95, axis=1)
    author.write(path, frame=author.params(8).assign(snr=1.25 * snr))
    summary, table, *_ = imported([path], tmp_path / "test.h5")
    np.testing.assert_allclose(table["snr"], snr, rtol=1e-6)
    np.testing.assert_allclose(summary.snr_ratio, 1.25, rtol=1e-6)


def test_a_median_close_to_one_half_is_made_exact_with_the_error_alike(path, tmp_path):
    flux, error = author.spectra(8)
    author.write(path, arrays={"flux": 1.0009 * flux, "error": 1.0009 * error})
    _, _, ours, errors, _ = imported([path], tmp_path / "test.h5")
    assert (np.median(ours.astype("f8"), axis=1) == 0.5).all()
    np.testing.assert_allclose(errors, error, rtol=1e-6)


@pytest.mark.parametrize("factor", [1.0022, 2.0, 0.0])
def test_another_median_is_refused_and_nothing_is_left(path, tmp_path, factor):
    flux, _ = author.spectra(8)
    flux[5] *= factor
    author.write(path, arrays={"flux": flux})
    with pytest.raises(DataError, match=rf"row 5 .*: the median flux is {factor / 2:.6g}, it must be 0.5 within 0.001"):
        imported([path], tmp_path / "test.h5")
    assert [file.name for file in tmp_path.iterdir()] == ["dataset.h5"]


def test_normalised_spectra_stay_as_they_are_to_the_last_bit():
    flux, error = normalise(*author.spectra(120, seed=3))
    assert (np.median(flux.astype("f8"), axis=1) == 0.5).all()
    again, errors = normalise(flux.astype("f8"), error.astype("f8"))
    np.testing.assert_array_equal(again, flux)
    np.testing.assert_array_equal(errors, error)


def test_more_spectra_than_there_are_are_refused(path, tmp_path):
    author.write(path)
    with pytest.raises(DataError, match="9 spectra are asked for, the files hold 8"):
        imported([path], tmp_path / "test.h5", 9)
    with pytest.raises(ParameterError, match="no file is named"):
        imported([], tmp_path / "test.h5")


def test_stars_are_told_apart_where_seeds_of_32_bits_agree(path, tmp_path):
    frame = author.params(8).assign(random_seed=[7, 7, 2**32 - 1, 2**32, 2**62, 0, 0, 9])
    author.write(path, frame=frame)
    _, table, *_ = imported([path], tmp_path / "one.h5")
    seeds = table["random_seed"]
    assert seeds[3:5].tolist() == [2**32, 2**62] and len(set(seeds.tolist())) == 8 and (seeds >= 0).all()
    # the same star elsewhere in another file has the same name
    author.write(path.with_name("other.h5"), frame=frame.iloc[::-1].assign(id=range(8)).set_index(np.arange(8)))
    assert set(imported([path.with_name("other.h5")], tmp_path / "two.h5")[1]["random_seed"]) == set(seeds)


def test_absent_conditions_are_listed_and_no_violation_the_rest_is_made_anew(path, tmp_path):
    author.write(path, frame=author.params(8)[[*LABELS, "mag"]])
    summary, table, *_, attributes = imported([path], tmp_path / "test.h5")
    assert set(summary.absent) == {*CONDITIONS, "moon_phase"} == set(attributes["absent"].split(","))
    assert np.isnan(table["seeing"]).all() and np.isnan(summary.snr_ratio).all()
    assert validate_set(tmp_path / "test.h5", "test")["n"] == 8  # snr, random_seed, interp_param and id among others


@pytest.mark.parametrize("sizes", [(3, 40, 1, 4), (16, 16), (5,), (15, 1), (100, 7, 9)])
def test_blocks_are_joined_to_whole_chunks(sizes):
    ends = np.cumsum(sizes)
    blocks = ((np.arange(end - size, end), -np.arange(end - size, end)) for size, end in zip(sizes, ends, strict=True))
    joined = list(_whole_chunks(blocks))
    assert all(len(rows) % 16 == 0 for rows, _ in joined[:-1])
    rows, same = (np.concatenate(values) for values in zip(*joined, strict=True))
    assert rows.tolist() == (-same).tolist() == list(range(ends[-1]))


def test_spectra_of_the_original_data_set_keep_the_rules(validation_dir, path, tmp_path):
    """Wavelengths, median and fluxes of the published examples, laid out as a file, are imported as they are."""
    with h5py.File(validation_dir / "pfs_examples.h5") as file:
        wave, flux = file["wave"][:], file["flux"][:]
    author.write(path, len(flux), arrays={"flux": flux})
    author.change(path, lambda file: file["spectrumdataset/wave"].write_direct(wave))
    _, _, ours, *_ = imported([path], tmp_path / "test.h5")
    np.testing.assert_allclose(ours, flux, rtol=0, atol=1e-6)


# --- nodes ------------------------------------------------------------------------------------------------------------

AXES = {"T_eff": (4000.0, 5000.0), "log_g": (1.0, 1.5, 2.0), "M_H": (-0.25, 0.0), "a_M": (0.0,), "C_M": (-0.5, 0.0)}
ABSENT = (3, 17)


def node_frame():
    """Labels of the lattice's present nodes in C order, as pandas would have them."""
    mesh = np.stack([axis.ravel() for axis in np.meshgrid(*AXES.values(), indexing="ij")], axis=1)
    labels = np.delete(mesh, ABSENT, axis=0)
    frame = author.params(len(labels)).assign(interp_param="", mag=21.5, seeing=1.0)
    frame["target_zenith_angle"], frame["target_field_angle"] = 22.5, 0.325
    return frame.assign(**dict(zip(LABELS, labels.T, strict=True)))


def errors(flux, zero_point, mode="paper", mag=21.5):
    conditions = Conditions(mag, zenith_angle=22.5, field_angle=0.325, seeing=1.0)
    return NoiseModel(mode)(torch.from_numpy(flux), torch.from_numpy(zero_point), conditions).numpy()


def node_spectra(n=22):
    flux, _ = author.spectra(n)
    # AB magnitude of the mean flux per frequency over the pixels, and some for the filter and what lies beyond them
    seen = -2.5 * np.log10((flux * author.CENTRES**2).mean(axis=1) / 2.99792458e18) - 48.6
    return flux, seen + np.random.default_rng(4).uniform(-0.1, 0.1, n)


@pytest.fixture
def fisher(path):
    """A Fisher-grid file whose rows are shuffled, and the fluxes and zero points in C order."""
    flux, zero_point = node_spectra()
    order = np.random.default_rng(5).permutation(len(flux))
    frame = node_frame().iloc[order].assign(id=range(len(flux))).set_index(np.arange(len(flux)))
    arrays = {"flux": flux[order], "error": errors(flux, zero_point)[order]}
    author.write(path, len(flux), frame=frame, arrays=arrays)
    return path, flux, zero_point


@pytest.mark.parametrize("dtype", ["f8", "f4"])
def test_nodes_take_their_place_and_their_zero_point(fisher, dtype, tmp_path):
    path, flux, zero_point = fisher
    author.change(path, lambda file: [
        file.__setitem__(name, file.pop(name)[:].astype(dtype)) for name in ("dataset/arrays/error/value",)
    ])  # fmt: skip
    grid = import_nodes(path, NoiseModel("paper"))
    assert dict(grid.lattice.axes) == AXES and grid.lattice.missing == ABSENT and grid.lattice.size == 22
    np.testing.assert_array_equal(grid.flux, flux.astype("f4"))
    np.testing.assert_allclose(grid.zero_point, zero_point, rtol=0, atol=1e-6)
    assert grid.source == "hdf5" and grid.fingerprint == fingerprint([path]) and grid.microturbulence == 2.0
    grid.write(tmp_path / "nodes.h5")  # and what is read back is accepted
    assert type(grid).read(tmp_path / "nodes.h5").lattice.missing == ABSENT


@pytest.mark.parametrize("mode", ["paper", "physical"])
@pytest.mark.parametrize("mag", [17.0, 23.0])
def test_zero_points_from_photon_noise_and_from_sky_noise(mode, mag):
    flux, zero_point = node_spectra(6)
    table = np.zeros(6, COLUMNS)
    rng = np.random.default_rng(6)
    table["mag"], table["seeing"] = mag + rng.uniform(0, 0.2, 6), rng.uniform(0.5, 1.5, 6)
    table["target_zenith_angle"], table["target_field_angle"] = rng.uniform(0, 45, 6), rng.uniform(0, 0.65, 6)
    columns = (
        torch.from_numpy(table[name].copy()) for name in ("mag", "target_zenith_angle", "target_field_angle", "seeing")
    )
    error = NoiseModel(mode)(torch.from_numpy(flux), torch.from_numpy(zero_point), Conditions(*columns)).numpy()
    found = zero_points(flux.astype("f4"), error.astype("f4"), table, NoiseModel(mode))
    np.testing.assert_allclose(found, zero_point, rtol=0, atol=1e-6)
    # errors 1 % too large look like a star fainter by 1 % of flux where the sky rules, 2 % where its photons do
    fainter = zero_points(flux.astype("f4"), (1.01 * error).astype("f4"), table, NoiseModel(mode))
    step = (zero_point - fainter) / (2.5 * np.log10(1.01))
    assert ((step > 1.0) & (step < 2.0)).all() and ((step > 1.5) if mag == 17.0 else (step < 1.1)).all()


NODE_ERRORS = {
    "twice": (
        lambda f: f.assign(**f.iloc[4][list(LABELS)].to_dict()).where(f.id == 9, f),
        "rows 4 and 9 are the same node",
    ),
    "no lattice": (
        lambda f: f.assign(T_eff=f.T_eff + f.id),
        "the labels are not those of a lattice: 22 rows hold 22 of T_eff",
    ),
    "no conditions": (
        lambda f: f.drop(columns="target_zenith_angle"),
        "column target_zenith_angle is missing; the zero",
    ),
    "other magnitude": (
        lambda f: f.assign(mag=np.where(f.id == 6, 16.0, 21.5)),
        r"row 6: the errors are those of a star \+5.\d\d mag from",
    ),
}


@pytest.mark.parametrize("kind", NODE_ERRORS)
def test_a_file_that_is_no_node_grid_is_named(path, kind):
    damage, message = NODE_ERRORS[kind]
    flux, zero_point = node_spectra()
    author.write(path, 22, frame=damage(node_frame()), arrays={"flux": flux, "error": errors(flux, zero_point)})
    with pytest.raises(DataError, match=f"dataset.h5: .*{message}"):
        import_nodes(path, NoiseModel("paper"))


def test_a_node_without_flux_in_a_pixel_is_named(path):
    flux, zero_point = node_spectra()
    error = errors(flux, zero_point)
    flux[8, 99] = -0.1
    author.write(path, 22, frame=node_frame(), arrays={"flux": flux, "error": error})
    with pytest.raises(
        DataError, match="dataset.h5: flux of node 8 .* pixel 99 is 0.0; it must be finite and positive"
    ):
        import_nodes(path, NoiseModel("paper"))


def test_the_stand_in_for_the_author_uses_the_pixels_of_the_kit():
    np.testing.assert_array_equal(author.CENTRES, pixel_centres())
    assert author.N_PIXELS == N_PIXELS
