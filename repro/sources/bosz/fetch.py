"""Download, check and slice the files of a list of nodes; go on where an earlier run ended."""

import fcntl
import shutil
import time
from collections.abc import Collection, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from repro.errors import DataError, ParameterError
from repro.files import remove_leftovers, sha256
from repro.progress import Report, silent
from repro.sources.bosz import store
from repro.sources.bosz.checks import SanityError, check_spectrum
from repro.sources.bosz.download import DownloadError, Patience, Unreachable, download
from repro.sources.bosz.manifest import Entry, Manifest
from repro.sources.bosz.release import SLICE, Grid, Refused, Release, complete
from repro.sources.bosz.settings import Settings

MOST_ABSENT: Final = 20  # answers 404 in a row, for nodes of the complete block, that are still believed
MOST_FAILURES: Final = 20  # files that may fail before the run ends

_AHEAD: Final = 2  # files asked for, for each connection
_SHOWN: Final = 10  # names in a message; JSON has them all


@dataclass(frozen=True)
class Node:
    """One file that is wanted."""

    name: str
    path: str  # below the base address
    labels: tuple[float, ...]


@dataclass
class Summary:
    """What a run did.

    Attributes:
        nodes: asked for.
        present: whose slices were here and sound.
        fetched: names of the files downloaded.
        missing: names of the files that the archive does not have.
        damaged: names of slices that were not sound, or not of the pinned file, and are downloaded again.
        failed: reason by name, for files that could not be downloaded or were refused.
        received: bytes of the files downloaded.
        seconds: of the run.
    """

    release: str
    nodes: int
    present: int = 0
    fetched: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    received: int = 0
    seconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """All of it, as plain types."""
        return asdict(self)

    def lines(self) -> Iterator[str]:
        """The same for a reader."""
        rate = self.received / max(self.seconds, 1e-3) / 1e6
        yield f"{self.release}: {self.nodes} nodes asked for"
        yield f"  {self.present} here already"
        size = f"{self.received / 1e6:.1f} MB in {self.seconds:.0f} s, {rate:.1f} MB/s"
        yield f"  {len(self.fetched)} downloaded ({size})"
        yield from _named("missing in the archive (404)", self.missing)
        if self.missing and len(self.missing) == self.nodes:
            yield "    none of the files was found: if that is a surprise, check base_url"
        yield from _named("slices found damaged and downloaded again", self.damaged)
        yield f"  {len(self.failed)} failed"
        yield from (f"    {reason}" for reason in self.failed.values())

    def require_success(self) -> None:
        """Raise DataError, with every reason, unless all files that the archive has are here."""
        if self.failed:
            reasons = "\n".join(self.failed.values())
            raise DataError(f"{self.release}: {len(self.failed)} of {self.nodes} files failed\n{reasons}")


def _named(what: str, names: list[str]) -> Iterator[str]:
    if names:
        yield f"  {len(names)} {what}"
        yield from (f"    {name}" for name in names[:_SHOWN])
        if len(names) > _SHOWN:
            yield f"    and {len(names) - _SHOWN} more (--json lists all)"
    else:
        yield f"  0 {what}"


def nodes_of(release: Release, labels: NDArray[np.float64]) -> list[Node]:
    """The files for labels (n, 5), those of the complete block first: they tell at once whether the address is right.

    Raises:
        ParameterError: labels are not on nodes of the release; names the neighbours.
    """
    on_nodes = np.unique(release.on_nodes(labels), axis=0)
    nodes = []
    for row in on_nodes[np.argsort(~complete(on_nodes), kind="stable")]:
        path = release.path(row)
        nodes.append(Node(path.rpartition("/")[2], path, tuple(map(float, row))))
    return nodes


def fetch_bosz(
    settings: Settings,
    labels: NDArray[np.float64],
    folder: str | Path,
    manifest_path: str | Path,
    *,
    accept: Collection[str] = (),
    retry_missing: bool = False,
    progress: Report = silent,
) -> Summary:
    """See that the slices of all nodes are in `folder`, and what was downloaded in the manifest.

    Slices that are present and sound are not downloaded again: a run without a network succeeds if nothing is to be
    fetched. A run that was killed at any moment is taken up by the next one.

    Args:
        labels: of the nodes, (n, 5) in the order of LABELS.
        folder: of the slices, one .npz for each file; refused files are moved to its subfolder `refused`.
        manifest_path: JSON, committed to git: a file whose hash is not the one pinned there is refused.
        accept: names of files to take nevertheless, if all that is against them is another hash or a sanity test.
        retry_missing: ask again for files that the archive did not have at the same address.
        progress: called with the number of files done and in all, of those that are not here.

    Returns:
        What happened. Files that do not exist (404) and files that failed are listed there.

    Raises:
        ParameterError: labels are not on nodes, `accept` is not the name of a file that is wanted, or the server does
            not know more than 20 nodes in a row that must exist (a wrong base_url).
        DataError: the disk is full, the network is gone, another run is at work in the folder, more than 20 files
            failed, or the manifest is damaged.
    """
    release = settings.open()
    nodes = nodes_of(release, labels)
    if strangers := set(accept) - {node.name for node in nodes}:
        raise ParameterError(f"--accept {sorted(strangers)[0]}: not the name of a file of the nodes asked for")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        remove_leftovers(folder)
        manifest = Manifest(manifest_path, release.name)
        run = _Run(settings, release, folder, manifest, frozenset(accept), Summary(release.name, len(nodes)))
        try:
            run.all(nodes, retry_missing, progress)
        finally:
            manifest.save()
    return run.summary


class _Run:
    """One call of `fetch_bosz`. Threads download; all else, and all state, is the main thread's."""

    def __init__(
        self,
        settings: Settings,
        release: Release,
        folder: Path,
        manifest: Manifest,
        accept: frozenset[str],
        summary: Summary,
    ) -> None:
        self.summary = summary
        self._settings = settings
        self._release = release
        self._folder = folder
        self._manifest = manifest
        self._accept = accept
        self._patience = Patience(settings.timeout, settings.attempts, settings.pause)
        self._answered = False
        self._absent: dict[str, Entry] = {}  # 404 in a row, not yet believed

    def all(self, nodes: list[Node], retry_missing: bool, progress: Report) -> None:
        """Fetch what is not here."""
        started = time.monotonic()
        todo = [node for node in nodes if not self._done(node, retry_missing)]
        self._require_space(len(todo))
        try:
            if todo:
                progress(0, len(todo))
                grid = self._grid()
                with closing(self._downloads(todo)) as downloads:
                    for done, (node, result) in enumerate(downloads, start=1):
                        self._take(node, result, grid)
                        self._manifest.save_soon()
                        progress(done, len(todo))
            self._believe_absent()
        finally:
            self.summary.seconds = time.monotonic() - started
            for names in (self.summary.fetched, self.summary.missing, self.summary.damaged):
                names.sort()

    def _done(self, node: Node, retry_missing: bool) -> bool:
        """Whether nothing is to be done for a node; a slice that a killed run left is entered in the manifest."""
        entry = self._manifest.entries.get(node.name)
        if entry is not None and entry.missing and entry.address == self._address(node) and not retry_missing:
            self.summary.missing.append(node.name)
            return True
        path = store.slice_path(self._folder, node.name)
        if not path.exists():
            return False
        stored = store.read_slice(path)
        if stored is None:
            self.summary.damaged.append(node.name)
            return False
        if entry is None or entry.missing:
            self._manifest[node.name] = Entry(**stored.origin)
        elif (entry.sha256, entry.slice_sha256) != (stored.origin["sha256"], stored.checksum):
            self.summary.damaged.append(node.name)  # cut from another file than the pinned one
            return False
        self.summary.present += 1
        return True

    def _grid(self) -> Grid | None:
        """The wavelengths that the files share, downloaded where the release archives them."""
        path = self._release.wave_path
        if path is None:
            return self._release.grid(None)
        node = Node(path.rpartition("/")[2], path, ())
        stored = store.read_slice(store.slice_path(self._folder, node.name))
        entry = self._manifest.entries.get(node.name)
        if stored is not None and (entry is None or entry.sha256 == stored.origin["sha256"]):
            self._manifest[node.name] = Entry(**stored.origin)
            return store.grid_of(stored)
        file = self._download(node)
        if file is None:
            raise ParameterError(f"{self._address(node)}: there is no such wavelength file. {self._check_address()}")
        try:
            grid = self._release.grid(file)
            assert grid is not None
            self._keep(node, file, grid, None)
        except Refused as error:
            raise self._put_aside(node, file, error) from error
        return grid

    def _downloads(self, nodes: list[Node]) -> Generator[tuple[Node, Path | DownloadError | None], None, None]:
        """Each node with its file, None for 404 or the failure; a few are under way at the same time."""
        waiting = iter(nodes)
        running: dict[Future[Path | None], Node] = {}
        pool = ThreadPoolExecutor(self._settings.connections, thread_name_prefix="bosz")
        try:
            while True:
                for node in _take_some(waiting, _AHEAD * self._settings.connections - len(running)):
                    running[pool.submit(self._download, node)] = node
                if not running:
                    return
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    node = running.pop(future)
                    try:
                        yield node, future.result()
                    except DownloadError as error:
                        yield node, error
        finally:
            self._patience.stop.set()
            pool.shutdown(wait=True, cancel_futures=True)

    def _download(self, node: Node) -> Path | None:
        return download(self._address(node), self._folder / "partial" / node.name, self._patience)

    def _take(self, node: Node, result: Path | DownloadError | None, grid: Grid | None) -> None:
        """Enter the outcome of one download."""
        if isinstance(result, DownloadError):
            if isinstance(result, Unreachable) and not self._answered:
                raise DataError(
                    f"{result}\nNo answer from the server: is this machine offline? What is present stays; run the "
                    "same command again to go on"
                ) from result
            self._fail(node, str(result))
            return
        self._answered = True
        if result is None:
            self._is_absent(node)
            return
        try:
            self._slice(node, result, grid)
        except Refused as error:
            self._fail(node, str(self._put_aside(node, result, error)))
        else:
            self._believe_absent()

    def _slice(self, node: Node, file: Path, grid: Grid | None) -> None:
        """Check a downloaded file, keep its slice and delete it."""
        sliced = self._release.read(file, grid)
        wave = sliced.wave if grid is None else grid.wave
        assert wave is not None
        accepted = None
        try:
            check_spectrum(node.name, node.labels, wave, sliced.flux, sliced.continuum)
        except SanityError as error:
            if not self._accepts(node, file):
                raise SanityError(f"{error}. {_how_to_accept(node.name)}") from error
            accepted = str(error)
        size = file.stat().st_size
        self._keep(node, file, sliced, accepted)
        self.summary.fetched.append(node.name)
        self.summary.received += size

    def _keep(self, node: Node, file: Path, content: Any, accepted: str | None) -> None:
        """Compare with the pin, write the slice and its entry, delete the file. Raises Refused for another hash."""
        digest = sha256(file)
        entry = self._manifest.entries.get(node.name)
        if entry is not None and not entry.missing and entry.sha256 != digest and node.name not in self._accept:
            raise Refused(
                f"{node.name}: its sha256 is {digest}, the manifest {self._manifest.path} pins {entry.sha256} of "
                f"{entry.date}: the archive changed the file, or it was damaged on its way. {_how_to_accept(node.name)}"
            )
        arrays = store.arrays_of(content)
        new = Entry(
            address=self._address(node),
            status=200,
            date=_now(),
            bytes=file.stat().st_size,
            sha256=digest,
            slice_sha256=store.checksum(arrays),
            accepted=accepted,
        )
        store.write_slice(store.slice_path(self._folder, node.name), arrays, new.as_json())
        self._manifest[node.name] = new
        file.unlink()

    def _accepts(self, node: Node, file: Path) -> bool:
        """Whether the user takes this file although a sanity test fails, now or when it was pinned."""
        entry = self._manifest.entries.get(node.name)
        before = entry is not None and entry.accepted is not None and entry.sha256 == sha256(file)
        return before or node.name in self._accept

    def _put_aside(self, node: Node, file: Path, error: Refused) -> Refused:
        """Move a refused file out of the way and say where it is."""
        place = self._folder / "refused" / node.name
        place.parent.mkdir(exist_ok=True)
        file.replace(place)
        return Refused(f"{error}. From {self._address(node)}; the refused file is {place}")

    def _fail(self, node: Node, reason: str) -> None:
        self.summary.failed[node.name] = reason
        if len(self.summary.failed) > MOST_FAILURES:
            reasons = "\n".join(self.summary.failed.values())
            raise DataError(f"{self._release.name}: stopped, more than {MOST_FAILURES} files failed\n{reasons}")

    def _is_absent(self, node: Node) -> None:
        """Note a 404; in the complete block only when another file of it turns out to exist."""
        self._absent[node.name] = Entry(address=self._address(node), status=404, date=_now())
        if not complete(np.array([node.labels]))[0]:
            self._manifest[node.name] = self._absent.pop(node.name)
            self.summary.missing.append(node.name)
        elif len(self._absent) > MOST_ABSENT:
            raise ParameterError(
                f"{self._address(node)}: there is no such file, as for {len(self._absent) - 1} nodes before it, which "
                f"the release is known to have. {self._check_address()}"
            )

    def _believe_absent(self) -> None:
        for name, entry in self._absent.items():
            self._manifest[name] = entry
            self.summary.missing.append(name)
        self._absent.clear()

    def _address(self, node: Node) -> str:
        return self._settings.address(node.path)

    def _check_address(self) -> str:
        base = self._settings.address("").rstrip("/")
        return f"Check the setting base_url (--base-url), which is {base}: the archive may have moved"

    def _require_space(self, n_files: int) -> None:
        """Raise DataError unless the disk holds the slices to come and the files on their way."""
        slice_bytes = 8 * np.log(SLICE[1] / SLICE[0]) / self._release.sampling
        waiting = min(n_files, _AHEAD * self._settings.connections)
        needed = int(n_files * slice_bytes + waiting * self._release.file_bytes)
        free = shutil.disk_usage(self._folder).free
        if needed > free:
            raise DataError(
                f"{self._folder}: {n_files} slices and the files on their way need about {needed / 1e9:.2f} GB, the "
                f"disk has {free / 1e9:.2f} GB free. Free some space, or name another folder"
            )


def _how_to_accept(name: str) -> str:
    return (
        f"To take it nevertheless: `repro fetch bosz --accept {name}` (with --release and --resolution if others than "
        "2017 and 50000)"
    )


def _take_some(items: Iterable[Node], count: int) -> Iterator[Node]:
    for _, item in zip(range(count), items, strict=False):
        yield item


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the folder's lock. Raises DataError where another run holds it."""
    with open(folder / ".lock", "w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise DataError(f"{folder}: another `repro fetch bosz` is at work in this folder; wait for it") from error
        yield
