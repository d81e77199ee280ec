"""What was downloaded: a JSON file, one line for each file of the archive, to be committed to git.

The SHA-256 of a file is pinned when it is first downloaded; the archive publishes none.
"""

import json
import re
import time
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final

from repro.errors import DataError
from repro.files import atomic_path

_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_SECONDS_BETWEEN_SAVES: Final = 10.0


@dataclass(frozen=True)
class Entry:
    """One file of the archive.

    Attributes:
        address: where it was asked for.
        status: HTTP status of the answer, 200 or 404.
        date: of the answer, UTC, ISO 8601.
        bytes, sha256: of the whole file; None for a file that does not exist (404).
        slice_sha256: checksum of the part that was kept.
        accepted: why the file was refused before the user accepted it; None for a sound one.
    """

    address: str
    status: int
    date: str
    bytes: int | None = None
    sha256: str | None = None
    slice_sha256: str | None = None
    accepted: str | None = None

    @property
    def missing(self) -> bool:
        """Whether the archive said that there is no such file."""
        return self.status == 404

    def as_json(self) -> dict[str, Any]:
        """The fields that are set."""
        return {key: value for key, value in asdict(self).items() if value is not None}


class Manifest:
    """The entries by file name. Changes reach the disk at `save`, or at most every ten seconds with `save_soon`.

    Raises:
        DataError: the file exists but is no manifest of the release; names file, line or entry, and rule.
    """

    def __init__(self, path: str | Path, release: str) -> None:
        self.path = Path(path)
        self._release = release
        self.entries: dict[str, Entry] = _read(self.path, release) if self.path.exists() else {}
        self._saved = time.monotonic()
        self._changed = False

    def __setitem__(self, name: str, entry: Entry) -> None:
        self._changed |= self.entries.get(name) != entry
        self.entries[name] = entry

    def save_soon(self) -> None:
        """Save unless that was done a moment ago."""
        if time.monotonic() - self._saved >= _SECONDS_BETWEEN_SAVES:
            self.save()

    def save(self) -> None:
        """Write the manifest atomically if it changed. Raises DataError on a full disk."""
        if not self._changed:
            return
        lines = (f"{json.dumps(name)}: {json.dumps(entry.as_json())}" for name, entry in sorted(self.entries.items()))
        with atomic_path(self.path) as temporary:
            body = ",\n".join(lines)
            temporary.write_text(f'{{"source": "{self._release}", "files": {{\n{body}\n}}}}\n', encoding="utf-8")
        self._saved, self._changed = time.monotonic(), False


def _read(path: Path, release: str) -> dict[str, Entry]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise DataError(
            f"{path}: not a readable manifest ({error}). Restore it from git, or delete it: hashes are then pinned anew"
        ) from error
    if not isinstance(content, dict) or not isinstance(content.get("files"), dict):
        raise DataError(f"{path}: a manifest is a JSON object with the keys source and files")
    if content.get("source") != release:
        raise DataError(f"{path}: the manifest of {content.get('source')!r}, expected is that of {release!r}")
    return {name: _entry(f"{path}: {name}", values) for name, values in content["files"].items()}


def _entry(where: str, values: Any) -> Entry:
    known = {field.name for field in fields(Entry)}
    if not isinstance(values, dict) or not {"address", "status", "date"} <= set(values) <= known:
        raise DataError(f"{where}: an entry has the keys address, status, date and of the rest of {sorted(known)}")
    entry = Entry(**values)
    if entry.status not in (200, 404):
        raise DataError(f"{where}: status must be 200 or 404, not {entry.status!r}")
    if entry.missing:
        return entry
    for key in ("sha256", "slice_sha256"):
        value = values.get(key)
        if not isinstance(value, str) or not _SHA256.fullmatch(value):
            raise DataError(f"{where}: {key} must be 64 hexadecimal digits, not {value!r}")
    if not isinstance(entry.bytes, int) or entry.bytes < 1:
        raise DataError(f"{where}: bytes must be a positive whole number, not {entry.bytes!r}")
    return entry
