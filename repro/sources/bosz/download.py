"""One file over HTTP: resumed where it was cut off, tried again where the server may recover."""

import json
import os
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import requests
import urllib3

from repro.errors import DataError
from repro.files import is_disk_full

_BLOCK: Final = 1 << 16
_LOCAL: Final = threading.local()
_TOO_MANY_REQUESTS: Final = 429


class DownloadError(DataError):
    """A file could not be downloaded."""


class Unreachable(DownloadError):
    """No attempt got an answer of any kind."""


class Stopped(Exception):
    """The run is being ended."""


class _Again(Exception):
    """An attempt failed in a way that another may not."""


@dataclass(frozen=True)
class Patience:
    """When to give up: seconds without a byte, attempts, seconds before the second attempt (then doubled)."""

    timeout: float
    attempts: int
    pause: float
    stop: threading.Event = field(default_factory=threading.Event)  # set: end at the next block


def download(address: str, path: Path, patience: Patience) -> Path | None:
    """Download to `path`, if it is not there yet; None where the server says that there is no such file (404).

    What arrived before a failure is kept in `<path>.part`, and the rest asked for (HTTP Range) by the next attempt or
    run if the server vouches, by ETag or date, that the file is still the same.

    Raises:
        Unreachable: no attempt got an answer.
        DownloadError: the server refused, or failed at every attempt; names the address and the last reason.
        DataError: the disk is full.
        Stopped: `patience.stop` is set.
    """
    if path.exists():
        return path
    part = _Part(path, address)
    reason, answered = "", False
    for attempt in range(patience.attempts):
        if patience.stop.wait(patience.pause * 2 ** (attempt - 1) if attempt else 0):
            raise Stopped
        try:
            with _ask(address, part, patience.timeout) as response:
                answered = True
                return _receive(response, part, patience.stop)
        except (_Again, requests.RequestException, urllib3.exceptions.HTTPError) as error:
            reason = str(error)
        except OSError as error:
            if is_disk_full(error):
                raise DataError(f"{path}: the disk is full. Free some space and run the same command again") from error
            raise
    kind = DownloadError if answered else Unreachable
    raise kind(f"{address}: gave up after {patience.attempts} attempts; the last: {reason}")


class _Part:
    """The beginning of a file and the server's word for which version it is."""

    def __init__(self, path: Path, address: str) -> None:
        self.path = path
        self.address = address
        self.content = path.with_name(f"{path.name}.part")
        self._note = path.with_name(f"{path.name}.part.json")

    def resumable(self) -> tuple[int, str]:
        """Bytes at hand and the version that they are of; (0, "") where there is nothing to resume."""
        try:
            note = json.loads(self._note.read_text())
            size = self.content.stat().st_size
        except (OSError, ValueError):
            return 0, ""
        if note.get("address") != self.address or not note.get("version"):
            return 0, ""
        return size, note["version"]

    def begin(self, response: requests.Response) -> None:
        """Forget what is at hand and note the version to come."""
        self.discard()
        tag = response.headers.get("ETag", "")
        # a weak tag does not promise equal bytes
        version = response.headers.get("Last-Modified", "") if not tag or tag.startswith("W/") else tag
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._note.write_text(json.dumps({"address": self.address, "version": version}))

    def discard(self) -> None:
        self.content.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)

    def finish(self) -> Path:
        os.replace(self.content, self.path)
        self._note.unlink(missing_ok=True)
        return self.path


def _ask(address: str, part: _Part, timeout: float) -> requests.Response:
    headers = {"Accept-Encoding": "identity"}
    at_hand, version = part.resumable()
    if at_hand:
        headers |= {"Range": f"bytes={at_hand}-", "If-Range": version}
    if not hasattr(_LOCAL, "session"):
        _LOCAL.session = requests.Session()  # one for each thread
    response: requests.Response = _LOCAL.session.get(address, headers=headers, stream=True, timeout=timeout)
    return response


def _receive(response: requests.Response, part: _Part, stop: threading.Event) -> Path | None:
    """The complete file or None for 404. Raises _Again or DownloadError, and what reading raises."""
    status = response.status_code
    if status == requests.codes.not_found:
        return None
    if status >= 500 or status == _TOO_MANY_REQUESTS:
        raise _Again(f"HTTP {status} {response.reason}")
    at_hand = part.resumable()[0]
    resumed = status == requests.codes.partial_content
    if status == requests.codes.requested_range_not_satisfiable or (resumed and not _continues(response, at_hand)):
        part.discard()
        raise _Again(f"HTTP {status}: the server could not continue at byte {at_hand}")
    if status != requests.codes.ok and not resumed:
        raise DownloadError(f"{part.address}: HTTP {status} {response.reason}")
    if not resumed:
        part.begin(response)
    announced = response.headers.get("Content-Length")
    expected = None if announced is None else int(announced) + (at_hand if resumed else 0)
    with open(part.content, "ab") as handle:
        for block in response.raw.stream(_BLOCK, decode_content=False):
            if stop.is_set():
                raise Stopped
            handle.write(block)
        handle.flush()
        os.fsync(handle.fileno())
    size = part.content.stat().st_size
    if expected is not None and size != expected:
        if size > expected:
            part.discard()
        raise _Again(f"{size} of {expected} bytes arrived (Content-Length)")
    return part.finish()


def _continues(response: requests.Response, at_hand: int) -> bool:
    """Whether a partial answer starts where the file at hand ends."""
    return response.headers.get("Content-Range", "").startswith(f"bytes {at_hand}-")
