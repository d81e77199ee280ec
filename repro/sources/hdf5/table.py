"""The label table: a pandas DataFrame of format "table", read by column name from its HDF5 records."""

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import h5py
from numpy.typing import NDArray

from repro.errors import DataError
from repro.sources.hdf5.layout import PARAMS, TABLE
from repro.sources.hdf5.names import listed_strings

_BLOCK: Final = "values_block_"  # fields that pack all columns of one type
_INDEX: Final = "index"


class _Place(NamedTuple):
    """Where a column is: a field of the records, and its position in a packed field."""

    field: str
    position: int | None


class ParamsTable:
    """Columns of an open file's label table.

    pandas stores a column as a field of its own (`data_columns`), or packed with all others of its type in a field
    `values_block_<k>` whose column names lie in the attribute `values_block_<k>_kind`, a pickled list.

    Raises:
        DataError: there is no such table, or the names of its packed columns cannot be read safely.
    """

    def __init__(self, file: h5py.File) -> None:
        self._where = f"{file.filename}: {TABLE}"
        self._records = _records(file)
        self._places = dict(self._columns())

    @property
    def size(self) -> int:
        """Number of rows."""
        return int(self._records.shape[0])

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns, in the order of the records' fields."""
        return tuple(self._places)

    def kind(self, name: str) -> str:
        """numpy's letter for the type of a column: f, i, u, S, ..."""
        return str(self._records.dtype[self._places[name].field].base.kind)

    def require_numbers(self, names: Iterable[str]) -> None:
        """Raise DataError unless the table has these columns and they hold numbers."""
        for name in names:
            if name not in self._places:
                raise DataError(f"{self._where}: column {name} is missing; the table has {', '.join(self.names)}")
            if self.kind(name) not in "fiu":
                dtype = self._records.dtype[self._places[name].field].base
                raise DataError(f"{self._where}: column {name} is of type {dtype}, it must hold numbers")

    def read(self, names: Iterable[str], rows: slice) -> dict[str, NDArray[Any]]:
        """Columns as they are stored, (b,) each.

        Raises:
            DataError: the table is damaged.
        """
        try:
            records = self._records[rows]
        except (OSError, RuntimeError) as error:
            raise unreadable(self._where, rows, error) from error
        return {name: _column(records, self._places[name]) for name in names}

    def _columns(self) -> Iterable[tuple[str, _Place]]:
        for field in self._records.dtype.names:
            if not field.startswith(_BLOCK):
                if field != _INDEX:
                    yield field, _Place(field, None)
                continue
            for position, name in enumerate(self._packed_names(field)):
                yield name, _Place(field, position)

    def _packed_names(self, field: str) -> tuple[str, ...]:
        attribute = f"{field}_kind"
        value = self._records.attrs.get(attribute)
        if not isinstance(value, bytes | str):
            raise DataError(f"{self._where}: attribute {attribute} with the column names of {field} is missing")
        try:
            names = listed_strings(value if isinstance(value, bytes) else value.encode("ascii"))
        except ValueError as error:
            raise DataError(
                f"{self._where}: attribute {attribute} is not a pickled list of column names ({error}). It is not "
                "loaded, since a pickle may run any program. Write the table again with pandas, data_columns=True."
            ) from error
        (width,) = self._records.dtype[field].shape or (1,)
        if len(names) != width:
            raise DataError(f"{self._where}: attribute {attribute} names {len(names)} columns, {field} holds {width}")
        return names


def unreadable(where: str, rows: slice, error: Exception) -> DataError:
    """The explanation of a failure of HDF5 to read rows of a dataset."""
    return DataError(
        f"{where}: rows {rows.start} to {rows.stop} cannot be read ({error}). The file is damaged, or packed by a "
        "filter that h5py lacks: copy it again from its origin, or unpack it with `ptrepack --complevel=0`."
    )


def _records(file: h5py.File) -> h5py.Dataset:
    table = file.get(TABLE)
    if not isinstance(table, h5py.Dataset):
        hint = "its frame is of format 'fixed', not 'table'" if f"{PARAMS}/axis0" in file else "it holds no label table"
        raise DataError(f"{file.filename}: dataset {TABLE} is missing: {hint}. pandas writes it with format='table'")
    if table.dtype.names is None or table.ndim != 1:
        raise DataError(
            f"{file.filename}: dataset {TABLE} is not a table: it is an array of {table.dtype}, shape {table.shape}"
        )
    return table


def _column(records: NDArray[Any], place: _Place) -> NDArray[Any]:
    values = records[place.field]
    return values if place.position is None or values.ndim == 1 else values[:, place.position]
