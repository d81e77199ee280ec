"""Downloading against an archive on loopback: what is fetched, what is refused, and what a failure leaves behind."""

import contextlib
import errno
import gzip
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import requests

from repro.errors import DataError, ParameterError
from repro.sources.bosz import fetch as fetch_module
from repro.sources.bosz import manifest as manifest_module
from repro.sources.bosz import store
from repro.sources.bosz.fetch import fetch_bosz, nodes_of
from repro.sources.bosz.inventory import inventory, to_fetch, verify
from repro.sources.bosz.manifest import Manifest
from repro.sources.bosz.settings import Settings
from tests.sources import bosz_fakes as fakes
from tests.sources.server import serve

ROOT = Path(__file__).resolve().parents[2]
WAVE = fakes.wave2017(2000)
SPECTRUM = fakes.spectrum(WAVE)
GOOD = fakes.fits2017(WAVE, *SPECTRUM)
LABELS = np.array([[t, g, m, 0.0, 0.0] for t in (4750.0, 5000.0) for g in (2.0, 2.5) for m in (-0.5, 0.0)])


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def archive():
    with serve() as archive:
        yield archive


class Place:
    """Settings, folder and manifest of one test, and the files of its archive."""

    def __init__(self, archive, root, **keywords):
        self.archive = archive
        defaults = {"resolution": 2000, "base_url": archive.address, "timeout": 20.0, "attempts": 3, "pause": 0.01}
        self.settings = Settings(**(defaults | keywords))
        self.release = self.settings.open()
        self.folder = root / "slices"
        self.manifest = root / "manifests" / "bosz.json"

    def paths(self, labels=LABELS):
        return ["/" + node.path for node in nodes_of(self.release, labels)]

    def names(self, labels=LABELS):
        return [node.name for node in nodes_of(self.release, labels)]

    def fill(self, labels=LABELS, content=GOOD):
        self.archive.files |= dict.fromkeys(self.paths(labels), content)

    def fetch(self, labels=LABELS, **keywords):
        return fetch_bosz(self.settings, labels, self.folder, self.manifest, **keywords)

    def entries(self):
        return Manifest(self.manifest, self.release.name).entries

    def slices(self):
        return sorted(path.name for path in self.folder.glob("*.npz"))

    def under_way(self):
        """What the rest of each file that is partly here is to be asked for with."""
        found = {}
        for part in (self.folder / "partial").glob("*.part"):
            with contextlib.suppress(FileNotFoundError):  # renamed in this very moment
                if size := part.stat().st_size:
                    found[part.name.removesuffix(".part")] = f"bytes={size}-"
        return found

    def litter(self):
        """Files that are neither slices nor the lock."""
        return [p for p in self.folder.rglob("*") if p.is_file() and p.suffix != ".npz" and p.name != ".lock"]


@pytest.fixture
def place(archive, tmp_path):
    return Place(archive, tmp_path)


def test_all_files_are_fetched_once_and_pinned(place):
    place.fill()
    seen = []
    summary = place.fetch(progress=lambda done, total: seen.append((done, total)))
    assert sorted(summary.fetched) == sorted(place.names()) and not summary.failed and not summary.missing
    assert summary.received == 8 * len(GOOD)
    assert seen == [(k, 8) for k in range(9)]
    assert place.slices() == sorted(f"{name}.npz" for name in place.names()) and not place.litter()
    for name, entry in place.entries().items():
        assert entry.address.startswith(place.archive.address) and entry.address.endswith(name.replace("+", "%2B"))
        assert (entry.status, entry.bytes, entry.accepted) == (200, len(GOOD), None)
        assert entry.date.endswith("+00:00")
    asked = len(place.archive.requests)
    again = place.fetch()
    assert (again.present, again.fetched) == (8, []) and len(place.archive.requests) == asked == 8


def test_the_slice_is_the_part_of_the_file(place):
    place.fill(LABELS[:1])
    place.fetch(LABELS[:1])
    stored = store.read_slice(store.slice_path(place.folder, place.names(LABELS[:1])[0]))
    inside = (WAVE >= 6580) & (WAVE <= 9020)
    np.testing.assert_allclose(stored.arrays["flux"], SPECTRUM[0][inside], rtol=1e-6)
    np.testing.assert_allclose(stored.arrays["continuum"], SPECTRUM[1][inside], rtol=1e-6)
    assert stored.origin == place.entries()[place.names(LABELS[:1])[0]].as_json()


def test_everything_present_needs_no_network(archive, tmp_path):
    place = Place(archive, tmp_path)
    place.fill(LABELS[:3])
    place.fetch()  # five of eight are absent, in the complete block
    nowhere = Place(archive, tmp_path)  # the same address, where nobody listens any more
    archive.files.clear()
    archive.faults.update({path: ["reset"] * 99 for path in place.paths()})
    summary = nowhere.fetch()
    assert summary.present == 3 and len(summary.missing) == 5 and not summary.failed


def test_the_manifest_is_json_with_a_line_for_each_file(place):
    place.fill()
    place.fetch()
    lines = place.manifest.read_text().splitlines()
    assert len(lines) == 8 + 2
    content = json.loads(place.manifest.read_text())
    assert content["source"] == "bosz2017" and list(content["files"]) == sorted(place.names())
    before = place.manifest.read_bytes()
    place.fetch()
    assert place.manifest.read_bytes() == before


@pytest.mark.parametrize("fault", ["503", "500", "429", "drop", "reset"])
def test_a_failure_that_may_pass_is_tried_again(place, fault):
    place.fill(LABELS[:1])
    (path,) = place.paths(LABELS[:1])
    place.archive.faults[path] = [fault]
    summary = place.fetch(LABELS[:1])
    assert len(summary.fetched) == 1 and place.archive.count(path) == 2


@pytest.mark.parametrize("fault", ["hang", "stall"])
def test_a_slow_server_is_asked_again(archive, tmp_path, fault):
    archive.patience = 1.0
    place = Place(archive, tmp_path, timeout=0.5, attempts=9)
    place.fill(LABELS[:1])
    (path,) = place.paths(LABELS[:1])
    archive.faults[path] = [fault]
    summary = place.fetch(LABELS[:1])
    assert len(summary.fetched) == 1 and archive.count(path) >= 2


@pytest.mark.parametrize("fault", ["hang", "stall"])
def test_a_server_that_stays_slow_is_named(archive, tmp_path, fault):
    archive.patience = 0.6
    place = Place(archive, tmp_path, timeout=0.2, attempts=2)
    place.fill(LABELS[:2])
    place.fetch(LABELS[:1])  # so that the server is known to answer
    archive.faults[place.paths(LABELS[:2])[1]] = [fault] * 9
    archive.ranges = False
    with pytest.raises(DataError, match="gave up after 2 attempts; the last: .*timed out"):
        place.fetch(LABELS[:2]).require_success()


@pytest.mark.parametrize(
    ("fault", "reason"),
    [("503", "HTTP 503"), ("drop", "bytes|IncompleteRead")],
)
def test_a_failure_that_stays_is_named_and_the_others_are_fetched(place, fault, reason):
    place.fill()
    bad = place.paths()[3]
    place.archive.faults[bad] = [fault] * 9
    place.archive.ranges = False
    summary = place.fetch()
    assert len(summary.fetched) == 7 and list(summary.failed) == [place.names()[3]]
    (message,) = summary.failed.values()
    assert place.names()[3] in message and "gave up after 3 attempts" in message
    with pytest.raises(DataError, match=f"1 of 8 files failed\n.*({reason})"):
        summary.require_success()
    place.archive.faults.clear()
    assert len(place.fetch().fetched) == 1


def test_a_refusal_is_not_tried_again(place):
    place.fill()
    place.archive.faults[place.paths()[0]] = ["403"] * 3
    summary = place.fetch()
    assert place.archive.count(place.paths()[0]) == 1
    assert "HTTP 403" in summary.failed[place.names()[0]]


def test_what_arrived_before_a_drop_is_not_asked_for_again(place):
    place.fill(LABELS[:1])
    (path,) = place.paths(LABELS[:1])
    place.archive.faults[path] = ["drop", "drop"]
    place.fetch(LABELS[:1])
    half = len(GOOD) // 2
    assert [asked for _, asked in place.archive.requests] == [
        None,
        f"bytes={half}-",
        f"bytes={half + (len(GOOD) - half) // 2}-",
    ]
    assert place.entries()[place.names(LABELS[:1])[0]].bytes == len(GOOD)


@pytest.mark.parametrize(
    ("versions", "resumed"), [("strong", True), ("date", True), ("weak", False), ("none", False), ("no ranges", False)]
)
def test_only_what_the_server_vouches_for_is_resumed(place, versions, resumed):
    """A weak ETag does not promise equal bytes (RFC 9110, section 8.8.1)."""
    place.fill(LABELS[:1])
    place.archive.versions = versions.replace("no ranges", "strong")
    place.archive.ranges = versions != "no ranges"
    place.archive.faults[place.paths(LABELS[:1])[0]] = ["drop"]
    assert len(place.fetch(LABELS[:1]).fetched) == 1
    asked = place.archive.requests[1][1]
    assert (asked is not None) == (resumed or versions == "no ranges")


def test_a_partial_answer_that_starts_elsewhere_is_not_appended(place):
    place.fill(LABELS[:1])
    place.archive.faults[place.paths(LABELS[:1])[0]] = ["drop", "elsewhere"]
    assert len(place.fetch(LABELS[:1]).fetched) == 1
    assert place.entries()[place.names(LABELS[:1])[0]].sha256 == hashlib.sha256(GOOD).hexdigest()


@pytest.mark.parametrize("fault", ["short", "unsized"])
def test_a_body_that_is_short_with_the_servers_blessing_is_found_by_its_rows(place, fault):
    place.fill(LABELS[:1])
    (path,), (name,) = place.paths(LABELS[:1]), place.names(LABELS[:1])
    place.archive.faults[path] = [fault]
    assert "cannot be read as a FITS table" in place.fetch(LABELS[:1]).failed[name]


def test_a_compressed_file_is_kept_as_it_is(archive, tmp_path):
    """Some servers call a .gz file encoded: undoing that would change its hash."""
    place = Place(archive, tmp_path, release=2024, resolution=500)
    wave = fakes.wave2024(500)
    good = fakes.text2024(*fakes.spectrum(wave, lines=fakes.CALCIUM_AIR, width=10.0))
    archive.files[f"/{place.release.wave_path}"] = fakes.wave_file2024(wave)
    place.fill(LABELS[:1], good)
    archive.encoded = True
    assert place.fetch(LABELS[:1]).fetched == place.names(LABELS[:1])
    assert place.entries()[place.names(LABELS[:1])[0]].sha256 == hashlib.sha256(good).hexdigest()


def test_a_file_that_changes_between_two_halves_is_not_mixed(place):
    """The rest of another version must not be appended: the server's tag tells them apart."""
    place.fill(LABELS[:1])
    (path,) = place.paths(LABELS[:1])
    place.archive.faults[path] = ["drop"] * 3
    assert place.fetch(LABELS[:1]).failed
    other = fakes.fits2017(WAVE, *fakes.spectrum(WAVE, 5500.0))
    place.archive.files[path] = other
    place.fetch(LABELS[:1])
    stored = store.read_slice(store.slice_path(place.folder, place.names(LABELS[:1])[0]))
    assert stored.origin["bytes"] == len(other)
    inside = (WAVE >= 6580) & (WAVE <= 9020)
    np.testing.assert_allclose(stored.arrays["continuum"], fakes.planck(WAVE[inside], 5500.0), rtol=1e-6)


def test_the_rest_is_asked_of_the_same_server(place, tmp_path):
    """Files of two servers may bear the same date and differ."""
    place.fill(LABELS[:1])
    place.archive.versions = "era"
    place.archive.faults[place.paths(LABELS[:1])[0]] = ["drop"] * 3
    assert place.fetch(LABELS[:1]).failed
    other = fakes.fits2017(WAVE, *fakes.spectrum(WAVE, 5500.0))
    with serve() as mirror:
        mirror.versions = "era"
        second = Place(mirror, tmp_path)
        second.fill(LABELS[:1], other)
        second.fetch(LABELS[:1])
        assert second.entries()[place.names(LABELS[:1])[0]].sha256 == hashlib.sha256(other).hexdigest()


def test_the_size_is_checked_whatever_the_client_library_does(place, monkeypatch):
    """urllib3 2 notices a body that ends early by itself, urllib3 1 did not."""
    send = requests.Session.get

    def careless(*arguments, **keywords):
        response = send(*arguments, **keywords)
        response.raw.enforce_content_length = False
        return response

    monkeypatch.setattr(requests.Session, "get", careless)
    place.fill(LABELS[:1])
    place.archive.ranges = False
    place.archive.faults[place.paths(LABELS[:1])[0]] = ["drop"] * 3
    (reason,) = place.fetch(LABELS[:1]).failed.values()
    assert f"{len(GOOD) // 2} of {len(GOOD)} bytes arrived (Content-Length)" in reason


def test_a_complete_part_that_was_not_renamed_is_taken_up(place):
    """Killed between the last byte and the rename: the server answers 416 to a request for what follows the end."""
    place.fill(LABELS[:1])
    (path,) = place.paths(LABELS[:1])
    (name,) = place.names(LABELS[:1])
    place.archive.faults[path] = ["drop"] * 3
    place.fetch(LABELS[:1])
    (place.folder / "partial" / f"{name}.part").write_bytes(GOOD)
    assert place.fetch(LABELS[:1]).fetched == [name]
    assert not place.litter()


def test_missing_nodes_are_recorded_and_not_asked_for_again(place):
    """[M/H] = +0.75 lies outside the complete block: its absence is believed at once."""
    labels = np.array([[5000.0, g, m, 0, 0] for g in np.arange(2, 11) / 2 for m in (0.0, 0.75)])
    place.fill(labels[::2])
    summary = place.fetch(labels)
    assert len(summary.missing) == 9 and all("amp08" in name for name in summary.missing)
    assert "  9 missing in the archive (404)" in list(summary.lines())
    entry = place.entries()[summary.missing[0]]
    assert (entry.status, entry.sha256, entry.bytes) == (404, None, None)
    asked = len(place.archive.requests)
    assert place.fetch(labels).missing == sorted(summary.missing, key=summary.missing.index)
    assert len(place.archive.requests) == asked
    place.fill(labels)
    assert len(place.fetch(labels, retry_missing=True).fetched) == 9
    assert place.archive.count(place.paths(labels[1:2])[0]) == 2  # 404 is no reason to insist


def test_another_base_url_is_asked_for_the_missing(place, tmp_path):
    labels = np.array([[5000.0, 2.0, m, 0, 0] for m in (0.0, 0.75)])
    place.fill(labels[:1])
    assert len(place.fetch(labels).missing) == 1
    with serve() as mirror:
        other = Place(mirror, tmp_path)
        other.fill(labels)
        summary = other.fetch(labels)
        assert (summary.present, len(summary.fetched)) == (1, 1)
        assert [path for path, _ in mirror.requests] == other.paths(labels[1:])


def many(n):
    return np.array([[5000.0, g, m, 0, 0] for g in np.arange(2, 11) / 2 for m in np.arange(-10, 3) / 4])[:n]


def test_many_missing_nodes_in_a_row_mean_a_wrong_address(place):
    with pytest.raises(
        ParameterError, match=r"Check the setting base_url \(--base-url\), which is http://127"
    ) as caught:
        place.fetch(many(30))
    assert "as for 20 nodes before it" in str(caught.value)
    assert 21 <= len(place.archive.requests) <= 21 + 2 * 4
    assert not place.entries()  # none of the answers is believed
    place.fill(many(30))
    assert len(place.fetch(many(30)).fetched) == 30


def test_twenty_missing_nodes_are_believed(place):
    place.fill(many(25)[20:])
    summary = place.fetch(many(25))
    assert len(summary.missing) == 20 and len(summary.fetched) == 5


def test_a_server_that_is_not_there(tmp_path):
    with serve() as archive:
        place = Place(archive, tmp_path)
    with pytest.raises(DataError, match="gave up after 3 attempts.*\nNo answer from the server: is this machine"):
        place.fetch()


def test_many_failures_end_the_run(place):
    place.fill(many(60), content=GOOD[: len(GOOD) // 2])
    with pytest.raises(DataError, match="stopped, more than 20 files failed"):
        place.fetch(many(60))
    assert len(place.archive.requests) <= 21 + 2 * 4


BAD_NAMES = ("Wavelength", "Flux", "Continuum")


def nan(values):
    values = values.copy()
    values[np.searchsorted(WAVE, 8000.0)] = np.nan
    return values


def hot(values):
    values = values.copy()
    values[np.searchsorted(WAVE, 8100.0)] *= 1.1
    return values


CONTENT_FAULTS = {
    "cut short": (lambda f, c: GOOD[: len(GOOD) // 2], "cannot be read as a FITS table"),
    "too few rows": (lambda f, c: fakes.fits2017(WAVE[:-500], f[:-500], c[:-500]), "22574 rows, the wavelength grid"),
    "another resolution": (lambda f, c: fakes.fits2017(WAVE[::2], f[::2], c[::2]), "11537 rows, the wavelength grid"),
    "not FITS": (lambda f, c: b"<html>We have moved</html>" * 100, "cannot be read as a FITS table"),
    "empty": (lambda f, c: b"", "cannot be read as a FITS table"),
    "column names": (
        lambda f, c: fakes.fits2017(WAVE, f, c, BAD_NAMES),
        "column SpecificIntensity is absent from HDU",
    ),
    "nan": (lambda f, c: fakes.fits2017(WAVE, nan(f), c), r"flux at 800\d\.\d+ A is nan; it must be finite"),
    "negative": (
        lambda f, c: fakes.fits2017(WAVE, f, -c),
        "continuum at 65.* A is -.*; it must be finite and pos",
    ),
    "above the continuum": (
        lambda f, c: fakes.fits2017(WAVE, hot(f), c),
        r"flux at 8\d+\.\d+ A is 1\.1.*; it must be",
    ),
    "air": (lambda f, c: fakes.fits2017(WAVE - 2.33, f, c), "about -2.3 A would be air wavelengths"),
    "air lines": (
        lambda f, c: fakes.fits2017(WAVE, *fakes.spectrum(WAVE, lines=fakes.CALCIUM_AIR)),
        "the Ca II triplet must lie within 0.6 A.*: air wavelengths read as vacuum",
    ),
}


@pytest.mark.parametrize("kind", CONTENT_FAULTS)
def test_a_bad_file_is_named_put_aside_and_the_others_are_fetched(place, kind):
    make, message = CONTENT_FAULTS[kind]
    place.fill(LABELS[:2])
    name, path = place.names(LABELS[:2])[0], place.paths(LABELS[:2])[0]
    place.archive.files[path] = make(*SPECTRUM)
    summary = place.fetch(LABELS[:2])
    assert len(summary.fetched) == 1 and list(summary.failed) == [name]
    aside = place.folder / "refused" / name
    with pytest.raises(DataError, match=f"(?s)^bosz2017: 1 of 2 files failed\n{name}: .*{message}") as caught:
        summary.require_success()
    assert str(aside) in str(caught.value) and place.archive.address in str(caught.value)
    assert aside.read_bytes() == place.archive.files[path] and len(place.slices()) == 1
    place.fill(LABELS[:2])
    assert place.fetch(LABELS[:2]).fetched == [name]


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("damaged", "the compressed text is damaged or cut short"),
        ("cut", "the compressed text is damaged or cut short"),
        ("rows", "7400 rows, the wavelength file has 7500: incomplete file"),
        ("columns", "expected are 2 columns"),
        ("words", "are not all numbers"),
        ("infinite", "flux at .* A is inf; it must be finite"),
    ],
)
def test_a_bad_file_of_2024_is_named(archive, tmp_path, kind, message):
    place = Place(archive, tmp_path, release=2024, resolution=500)
    wave = fakes.wave2024(500)
    flux, continuum = fakes.spectrum(wave, lines=fakes.CALCIUM_AIR, width=10.0)
    good = fakes.text2024(flux, continuum)
    spoilt = flux.copy()
    spoilt[np.searchsorted(wave, 8000)] = np.inf
    content = {
        "damaged": good[:2000] + bytes(100) + good[2100:],
        "cut": good[:-1000],
        "rows": fakes.text2024(flux[:-100], continuum[:-100]),
        "columns": fakes.text2024(flux, continuum, wave=wave),
        "words": gzip.compress(gzip.decompress(good).replace(b"e+0", b"x+0")),
        "infinite": fakes.text2024(spoilt, continuum),
    }[kind]
    (name,), (path,) = place.names(LABELS[:1]), place.paths(LABELS[:1])
    archive.files |= {path: content, f"/{place.release.wave_path}": fakes.wave_file2024(wave)}
    failed = place.fetch(LABELS[:1]).failed
    with pytest.raises(DataError, match=f"{re.escape(name)}: .*{message}"):
        raise DataError(failed[name])
    archive.files[path] = good
    assert place.fetch(LABELS[:1]).fetched == [name]


def test_the_wavelength_file_of_2024_is_fetched_once_and_needed(archive, tmp_path):
    place = Place(archive, tmp_path, release=2024, resolution=500)
    wave = fakes.wave2024(500)
    place.fill(content=fakes.text2024(*fakes.spectrum(wave, lines=fakes.CALCIUM_AIR, width=10.0)))
    with pytest.raises(ParameterError, match=r"bosz2024_wave_r500.txt: there is no such wavelength file. Check the"):
        place.fetch()
    wave_path = f"/{place.release.wave_path}"
    archive.files[wave_path] = fakes.wave_file2024(np.delete(wave, 3300))
    with pytest.raises(DataError, match=r"bosz2024_wave_r500.txt: gap between rows 3300 and 3301.*refused file is"):
        place.fetch()
    archive.files[wave_path] = fakes.wave_file2024(wave)
    assert len(place.fetch(LABELS[:4]).fetched) == 4
    before = archive.count(wave_path)
    assert len(place.fetch().fetched) == 4 and archive.count(wave_path) == before
    assert "bosz2024_wave_r500.txt" in place.entries()


def test_a_text_file_of_2017_is_fetched(archive, tmp_path):
    place = Place(archive, tmp_path, file_format="ascii")
    content = fakes.ascii2017(WAVE, *SPECTRUM)
    place.fill(LABELS[:2], content)
    broken = place.paths(LABELS[:2])[1]
    archive.files[broken] = content[: len(content) // 2]
    summary = place.fetch(LABELS[:2])
    assert len(summary.fetched) == 1
    assert "the compressed text is damaged or cut short" in summary.failed[place.names(LABELS[:2])[1]]


def test_a_changed_file_is_refused_until_it_is_accepted(place):
    place.fill()
    place.fetch()
    name, path = place.names()[2], place.paths()[2]
    store.slice_path(place.folder, name).unlink()
    changed = fakes.fits2017(WAVE, *fakes.spectrum(WAVE, 5100.0))
    place.archive.files[path] = changed
    pinned = place.entries()[name]
    (message,) = place.fetch().failed.values()
    for part in (name, pinned.sha256, pinned.date, f"repro fetch bosz --accept {name}", "refused"):
        assert part in message
    assert place.entries()[name] == pinned
    with pytest.raises(ParameterError, match="--accept nonsense: not the name of a file"):
        place.fetch(accept=["nonsense"])
    assert place.fetch(accept=[name]).fetched == [name]
    assert place.entries()[name].sha256 != pinned.sha256
    assert place.fetch().present == 8


def test_a_failed_sanity_test_can_be_accepted_and_is_recorded(place):
    place.fill(LABELS[:1], content=fakes.fits2017(WAVE, *fakes.spectrum(WAVE, lines=(8400.0,))))
    (name,) = place.names(LABELS[:1])
    assert f"repro fetch bosz --accept {name}" in place.fetch(LABELS[:1]).failed[name]
    assert place.fetch(LABELS[:1], accept=[name]).fetched == [name]
    assert "Ca II triplet must lie within" in place.entries()[name].accepted
    store.slice_path(place.folder, name).unlink()  # as on another machine, with the manifest from git
    assert place.fetch(LABELS[:1]).fetched == [name]
    assert "Ca II triplet must lie within" in place.entries()[name].accepted
    store.slice_path(place.folder, name).unlink()
    place.fill(LABELS[:1], content=fakes.fits2017(WAVE, *fakes.spectrum(WAVE, lines=(8401.0,))))
    assert list(place.fetch(LABELS[:1]).failed) == [name]  # what was accepted is that file, not the next one


def test_a_broken_format_cannot_be_accepted(place):
    place.fill(LABELS[:1], content=fakes.fits2017(WAVE, nan(SPECTRUM[0]), SPECTRUM[1]))
    (name,) = place.names(LABELS[:1])
    assert "it must be finite" in place.fetch(LABELS[:1], accept=[name]).failed[name]


@pytest.mark.parametrize("damage", ["cut", "flip", "foreign"])
def test_a_damaged_slice_is_found_and_downloaded_again(place, damage):
    place.fill()
    place.fetch()
    first, second = (store.slice_path(place.folder, name) for name in place.names()[:2])
    content = bytearray(first.read_bytes())
    if damage == "cut":
        first.write_bytes(content[: len(content) // 2])
    elif damage == "flip":
        content[len(content) // 2] ^= 1
        first.write_bytes(content)
    else:  # sound in itself, of another file than the pinned one
        arrays = store.read_slice(second).arrays
        arrays["flux"] = arrays["flux"] * 2
        origin = place.entries()[place.names()[0]].as_json() | {"slice_sha256": store.checksum(arrays)}
        store.write_slice(first, arrays, origin)
    sound, absent, damaged = verify("bosz2017", place.folder, place.manifest)
    assert (len(sound), absent, damaged) == (7, [], [place.names()[0]])
    summary = place.fetch()
    assert summary.damaged == summary.fetched == [place.names()[0]]
    assert verify("bosz2017", place.folder, place.manifest)[2] == []


def test_a_run_without_its_manifest_takes_up_the_slices(place):
    """A kill between the slices and the manifest: the slices know what they were cut from."""
    place.fill()
    place.fetch()
    before = place.entries()
    place.manifest.unlink()
    assert place.fetch().present == 8 and place.entries() == before
    assert len(place.archive.requests) == 8


def test_slices_of_another_layout_are_downloaded_again(place, monkeypatch):
    """Also where no manifest says what they should be."""
    place.fill(LABELS[:3])
    place.fetch(LABELS[:3])
    place.manifest.unlink()
    monkeypatch.setattr(store, "_LAYOUT", 2)
    summary = place.fetch(LABELS[:3])
    assert summary.damaged == summary.fetched == sorted(place.names(LABELS[:3]))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"source": "bosz2017", "files": {\n<<<<<<< HEAD', "not a readable manifest .*line 2"),
        ("[]", "a manifest is a JSON object"),
        ('{"source": "bosz2024", "files": {}}', "the manifest of 'bosz2024', expected is that of 'bosz2017'"),
        ('{"source": "bosz2017", "files": {"a": {"status": 200}}}', "a: an entry has the keys"),
        (
            '{"source": "bosz2017", "files": {"a": {"status": 200, "address": "x", "date": "y", "sha256": "12"}}}',
            "a: sha256 must be 64 hexadecimal digits, not '12'",
        ),
        (
            '{"source": "bosz2017", "files": {"a": {"status": 500, "address": "x", "date": "y"}}}',
            "a: status must be 200 or 404, not 500",
        ),
    ],
)
def test_a_damaged_manifest_is_named(place, content, message):
    place.manifest.parent.mkdir()
    place.manifest.write_text(content)
    with pytest.raises(DataError, match=f"bosz.json: .*{message}"):
        place.fetch()
    assert place.manifest.read_text() == content


def test_two_runs_in_one_folder_do_not_meet(place):
    place.fill()
    place.folder.mkdir()
    with fetch_module._alone(place.folder), pytest.raises(DataError, match="another `repro fetch bosz` is at work"):
        place.fetch()
    assert len(place.fetch().fetched) == 8


def test_a_disk_that_is_too_small_is_known_beforehand(place, monkeypatch):
    place.fill()
    monkeypatch.setattr(fetch_module.shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(DataError, match="8 slices and the files on their way need about 0.00 GB, the disk has 0.00"):
        place.fetch()
    assert not place.archive.requests


@pytest.mark.parametrize("where", ["partial/", "slices/.", "manifests/."])
def test_a_disk_that_fills_up_stops_the_run_and_loses_nothing(place, monkeypatch, where):
    place.fill()
    flush = os.fsync

    def full(handle):
        if where in os.readlink(f"/proc/self/fd/{handle if isinstance(handle, int) else handle.fileno()}"):
            raise OSError(errno.ENOSPC, "No space left on device")
        flush(handle)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(DataError, match="the disk is full"):
            place.fetch()
    assert not list(place.folder.glob(".*.tmp")) and not place.manifest.exists()
    summary = place.fetch()
    assert summary.present + len(summary.fetched) == 8 and not summary.failed
    assert (summary.present == 8) == (where == "manifests/.")


SCRIPT = """
import json, sys
import numpy as np
from repro.sources.bosz.fetch import fetch_bosz
from repro.sources.bosz.settings import Settings
labels, address, folder, manifest = json.loads(sys.argv[1])
settings = Settings(resolution=2000, base_url=address, connections=3, pause=0.01)
fetch_bosz(settings, np.array(labels), folder, manifest, progress=lambda done, total: print(done, flush=True))
"""


def heed_interrupts():
    """A shell starts what it runs in the background deaf to SIGINT, and its children inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.parametrize("signal_sent", [signal.SIGKILL, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_a_killed_run_goes_on_where_it_was(place, signal_sent):
    place.fill(many(12))
    place.archive.pace = 0.0005  # a quarter of a second for each file
    arguments = json.dumps([many(12).tolist(), place.archive.address, str(place.folder), str(place.manifest)])
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=heed_interrupts,
    )
    for line in process.stdout:
        if line.strip() == b"4":
            break
    while not place.under_way():
        time.sleep(0.005)
    process.send_signal(signal_sent)
    process.communicate(timeout=30)
    assert process.returncode != 0
    done, parts = len(place.slices()), place.under_way()
    assert 4 <= done < 12
    if signal_sent == signal.SIGINT:
        assert len(place.entries()) == done  # an orderly end writes the manifest
    place.archive.pace = 0.0
    asked = len(place.archive.requests)
    summary = place.fetch(many(12))
    assert summary.present == done and len(summary.fetched) == 12 - done
    requests_made = dict(place.archive.requests[asked:])
    assert len(requests_made) <= 12 - done  # some files may have been complete, but not sliced yet
    assert {path.rpartition("/")[2]: begin for path, begin in requests_made.items() if begin} == parts
    assert not place.litter() and verify("bosz2017", place.folder, place.manifest)[0] == sorted(place.names(many(12)))


def test_the_manifest_is_saved_along_the_way(place, monkeypatch):
    place.fill()
    monkeypatch.setattr(manifest_module, "_SECONDS_BETWEEN_SAVES", 0.0)
    sizes = []

    def report(_done, _total):
        sizes.append(len(place.entries()) if place.manifest.exists() else 0)

    place.fetch(progress=report)
    assert sizes == list(range(9))


def test_files_are_downloaded_side_by_side(archive, tmp_path):
    place = Place(archive, tmp_path, connections=3)
    place.fill()
    archive.faults.update({path: ["hang"] for path in place.paths()})
    archive.patience = 0.2
    assert len(place.fetch().fetched) == 8
    assert archive.busiest == 3


def test_files_do_not_pile_up(place, monkeypatch):
    """However many nodes: a few files are on the disk and nothing of them in memory."""
    place.fill(many(24))
    most = 0

    def report(_done, _total):
        nonlocal most
        most = max(most, len(list((place.folder / "partial").glob("*"))))

    tracemalloc.start()
    place.fetch(many(24), progress=report)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most <= 3 * 8  # eight files, with .part and .json
    assert peak < 40 * len(GOOD)


def test_the_inventory_needs_no_network(place):
    place.fill(LABELS[:3])
    settings = (place.settings, LABELS, place.folder, place.manifest)
    assert len(inventory(*settings).to_go) == 8
    place.fetch()
    found = inventory(*settings)
    assert (len(found.present), len(found.missing), found.to_go) == (3, 5, ())
    store.slice_path(place.folder, found.present[0]).unlink()
    (wanted,) = to_fetch(*settings)
    assert wanted.name == found.present[0] and wanted.bytes == len(GOOD)
    assert wanted.address == place.settings.address(place.paths()[place.names().index(wanted.name)][1:])
