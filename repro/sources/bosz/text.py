"""Compressed text tables: count the rows of a file, parse a few of them."""

import bz2
import gzip
import io
import zlib
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from repro.sources.bosz.release import FormatError

_NEWLINE: Final = 10


def unpack(path: Path) -> bytes:
    """Content of a file that is plain, gzip (.gz) or bzip2 (.bz2). Raises FormatError where it is damaged."""
    content = path.read_bytes()
    try:
        if path.suffix == ".gz":
            return gzip.decompress(content)
        return bz2.decompress(content) if path.suffix == ".bz2" else content
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise FormatError(f"{path.name}: the compressed text is damaged or cut short ({error})") from error


class Table:
    """Blank-separated numbers, a row on each line, no header.

    Attributes:
        rows: number of lines.
    """

    def __init__(self, name: str, content: bytes) -> None:
        self._name = name
        self._content = content.rstrip() + b"\n"
        ends = np.flatnonzero(np.frombuffer(self._content, dtype=np.uint8) == _NEWLINE) + 1
        self._edges = np.concatenate([[0], ends])
        self.rows = ends.size if content.strip() else 0

    def parse(self, start: int, stop: int, columns: int) -> NDArray[np.float64]:
        """Rows start to stop, (stop - start, columns). Raises FormatError, naming the row."""
        if start >= stop:
            raise FormatError(f"{self._name}: the file is empty")
        text = self._content[self._edges[start] : self._edges[stop]]
        try:
            values = np.loadtxt(io.BytesIO(text), ndmin=2, comments=None)
        except ValueError as error:
            raise FormatError(f"{self._name}: rows {start + 1} to {stop} are not all numbers ({error})") from error
        if values.shape != (stop - start, columns):
            raise FormatError(
                f"{self._name}: rows {start + 1} to {stop} hold {values.shape[0]} rows of {values.shape[1]} columns, "
                f"expected are {columns} columns"
            )
        return values
