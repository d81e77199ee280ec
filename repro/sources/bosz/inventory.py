"""What is here and what is not, without a network."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from repro.progress import Report, silent
from repro.sources.bosz import store
from repro.sources.bosz.fetch import nodes_of
from repro.sources.bosz.manifest import Manifest
from repro.sources.bosz.settings import Settings


@dataclass(frozen=True)
class Inventory:
    """Files of the nodes asked for: names that are present, missing in the archive (404), and still to be fetched."""

    present: tuple[str, ...]
    missing: tuple[str, ...]
    to_go: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """All of it, as plain types."""
        return asdict(self)


@dataclass(frozen=True)
class Wanted:
    """One file to be fetched: its name, address and size in bytes (None: not known yet)."""

    name: str
    address: str
    bytes: int | None


def inventory(
    settings: Settings, labels: NDArray[np.float64], folder: str | Path, manifest_path: str | Path
) -> Inventory:
    """Sort the nodes at labels (n, 5) by what the manifest and the names of the slices say.

    Contents are not looked at; `verify` does. Raises ParameterError for labels that are not on nodes and DataError for
    a damaged manifest.
    """
    release = settings.open()
    entries = Manifest(manifest_path, release.name).entries
    groups: dict[str, list[str]] = {"present": [], "missing": [], "to_go": []}
    for node in nodes_of(release, labels):
        entry = entries.get(node.name)
        if entry is not None and entry.missing and entry.address == settings.address(node.path):
            groups["missing"].append(node.name)
        elif store.slice_path(Path(folder), node.name).exists():
            groups["present"].append(node.name)
        else:
            groups["to_go"].append(node.name)
    return Inventory(**{key: tuple(names) for key, names in groups.items()})


def to_fetch(
    settings: Settings, labels: NDArray[np.float64], folder: str | Path, manifest_path: str | Path
) -> list[Wanted]:
    """The files that `fetch_bosz` would ask for. Raises as `inventory`."""
    release = settings.open()
    entries = Manifest(manifest_path, release.name).entries
    to_go = set(inventory(settings, labels, folder, manifest_path).to_go)
    return [
        Wanted(node.name, settings.address(node.path), entries[node.name].bytes if node.name in entries else None)
        for node in nodes_of(release, labels)
        if node.name in to_go
    ]


def verify(
    release: str, folder: str | Path, manifest_path: str | Path, progress: Report = silent
) -> tuple[list[str], list[str], list[str]]:
    """Hash every slice of the manifest again.

    Returns:
        Names of the files whose slices are sound, absent, and damaged or not of the pinned file.

    Raises:
        DataError: the manifest is damaged.
    """
    sound: list[str] = []
    absent: list[str] = []
    damaged: list[str] = []
    files = {name: entry for name, entry in Manifest(manifest_path, release).entries.items() if not entry.missing}
    for done, (name, entry) in enumerate(files.items(), start=1):
        path = store.slice_path(Path(folder), name)
        if not path.exists():
            absent.append(name)
        else:
            stored = store.read_slice(path)
            same = stored is not None and stored.checksum == entry.slice_sha256
            (sound if same else damaged).append(name)
        progress(done, len(files))
    return sound, absent, damaged
