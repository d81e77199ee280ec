"""Atomic writes: the final name is the old file or the whole new one."""

import errno
import hashlib
from pathlib import Path

import pytest

from repro.errors import DataError
from repro.files import atomic_path, md5, remove_leftovers, sha256


def test_success_replaces_and_leaves_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "sub" / "file.txt"
    for text in ("one", "two"):
        with atomic_path(target) as temporary:
            temporary.write_text(text)
        assert target.read_text() == text
    assert [path.name for path in target.parent.iterdir()] == ["file.txt"]


@pytest.mark.parametrize(
    ("error", "raised"),
    [(ValueError("x"), ValueError), (OSError(errno.ENOSPC, "full"), DataError), (OSError(errno.EIO, "bad"), OSError)],
)
def test_failure_keeps_the_old_file(tmp_path: Path, error: Exception, raised: type[Exception]) -> None:
    target = tmp_path / "file.txt"
    target.write_text("old")
    with pytest.raises(raised), atomic_path(target) as temporary:
        temporary.write_text("half")
        raise error
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["file.txt"]


def test_leftovers_of_a_killed_process_are_removed(tmp_path: Path) -> None:
    (tmp_path / ".file.h5.deadbeef.tmp").write_text("half")
    (tmp_path / ".figures.tmp").mkdir()
    (tmp_path / ".figures.tmp" / "one.png").write_text("half")
    (tmp_path / "file.h5").write_text("whole")
    remove_leftovers(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["file.h5"]


def test_digests_match_hashlib(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"abc" * 1_000_000)
    assert md5(path) == hashlib.md5(path.read_bytes()).hexdigest()
    assert sha256(path) == hashlib.sha256(path.read_bytes()).hexdigest()
