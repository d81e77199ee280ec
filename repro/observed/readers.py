"""Files of spectra, whatever their layout."""

from collections.abc import Iterator
from pathlib import Path

from repro.errors import DataError
from repro.observed.fits import is_fits, read_fits
from repro.observed.others import read_text, read_with_specutils
from repro.observed.sets import ENDINGS, read_hdf5
from repro.observed.spectrum import Observed

_TEXT = (".txt", ".dat", ".csv", ".asc", ".ascii", "")


def read(path: str | Path, rows: slice = slice(None), noise: float = 1.0) -> Iterator[Observed]:
    """Spectra of one file in order: a set (HDF5), FITS in a known layout, text, or what specutils loads.

    Args:
        rows: which of a file that holds several.
        noise: level of the draw added to sets, whose flux is noise-free.

    Raises:
        DataError: the file is absent, damaged or of no known layout; the message names it and the rule.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    if path.suffix.lower() in ENDINGS:
        yield from read_hdf5(path, rows, noise)
        return
    for number, spectrum in enumerate(_plain(path)):
        if number in range(*rows.indices(number + 1)):
            yield spectrum


def _plain(path: Path) -> Iterator[Observed]:
    if is_fits(path):
        known = read_fits(path)
        return known if known is not None else iter(_fallback(path))
    if path.suffix.lower() in _TEXT:
        return iter([read_text(path)])
    return iter(read_with_specutils(path))


def _fallback(path: Path) -> list[Observed]:
    """FITS of another layout: specutils knows most, the plain reader images with an axis of wavelengths."""
    try:
        return read_with_specutils(path)
    except DataError as unknown:
        try:
            return [read_text(path)]
        except DataError:
            raise unknown from None
