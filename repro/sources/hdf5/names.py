"""Column names out of a pickled list, without unpickling: a pickle may run any program when it is loaded.

PyTables stores Python lists in attributes as pickles, and pandas keeps the names of a table's packed columns there.
A pickle is a program for a stack machine; `pickletools.genops` lists its instructions and runs none. Accepted are
only those of one flat list of strings, in every pickle protocol; anything else is refused.
"""

import pickletools
from typing import Final

_STRINGS: Final = {
    "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "STRING", "BINSTRING", "SHORT_BINSTRING",
}  # fmt: skip
_LISTS: Final = {"LIST", "EMPTY_LIST"}
_NO_EFFECT: Final = {  # protocol headers, marks of the stack, notes for later reference, additions to the list
    "PROTO", "FRAME", "MARK", "PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE", "APPEND", "APPENDS", "STOP",
}  # fmt: skip


def listed_strings(pickled: bytes) -> tuple[str, ...]:
    """The strings of a pickled list of strings.

    Raises:
        ValueError: the bytes are no pickle, or hold any other instruction; the message says which.
    """
    strings, lists = [], 0
    for instruction, argument, position in pickletools.genops(pickled):
        if instruction.name in _STRINGS:
            strings.append(str(argument))
        elif instruction.name in _LISTS:
            lists += 1
        elif instruction.name not in _NO_EFFECT:
            raise ValueError(f"instruction {instruction.name} at byte {position} is not of a plain list of names")
    if lists != 1:
        raise ValueError(f"holds {lists} lists, one is expected")
    return tuple(strings)
