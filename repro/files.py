"""Files that are either whole or absent: atomic writes and content hashes."""

import errno
import hashlib
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from repro.errors import DataError

_BLOCK = 1 << 20


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary name beside `path`; on success flush it to disk and rename it to `path`.

    Whatever happens inside, `path` is either the old file or the complete new one.

    Raises:
        DataError: the disk is full (the temporary file is removed).
    """
    final = Path(path)
    final.parent.mkdir(parents=True, exist_ok=True)
    temporary = final.with_name(f".{final.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        yield temporary
        with open(temporary, "rb") as handle:
            os.fsync(handle.fileno())
        os.replace(temporary, final)
    except OSError as error:
        if is_disk_full(error):
            raise DataError(
                f"{final}: the disk is full, the file was not written. Free some space and run the same command again."
            ) from error
        raise
    finally:
        temporary.unlink(missing_ok=True)


def is_disk_full(error: OSError) -> bool:
    """Whether `error` means that a disk or a quota is exhausted (h5py reports it in the text alone)."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT) or "No space left on device" in str(error)


def remove_leftovers(folder: str | Path) -> None:
    """Delete temporary files and folders that a killed process left in `folder`."""
    for leftover in Path(folder).glob(".*.tmp"):
        if leftover.is_dir():
            shutil.rmtree(leftover)
        else:
            leftover.unlink(missing_ok=True)


def md5(path: str | Path) -> str:
    """MD5 of a file's content, the hash DVC writes to dvc.lock."""
    return _digest(path, "md5")


def sha256(path: str | Path) -> str:
    """SHA-256 of a file's content."""
    return _digest(path, "sha256")


def _digest(path: str | Path, algorithm: str) -> str:
    digest = hashlib.new(algorithm, usedforsecurity=False)
    with open(path, "rb") as handle:
        while block := handle.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
