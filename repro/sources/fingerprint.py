"""A hash of what code computes, indifferent to how it is written down."""

import ast
import hashlib
from collections.abc import Iterable
from pathlib import Path

from repro.files import sha256


def code_fingerprint(root: Path, modules: Iterable[Path], tables: Iterable[Path]) -> str:
    """SHA-256 (hex) of the modules' syntax trees and the tables' bytes, each with its path below `root`.

    Comments, docstrings, white space and the way a number or string is spelled do not count. The result is the same on
    Python 3.11 to 3.13: of each syntax node only the type and the fields that are set enter.
    """
    digest = hashlib.sha256()
    for path in sorted(modules):
        text = canonical(path.read_text(encoding="utf-8"))
        digest.update(f"module {path.relative_to(root).as_posix()}\n{text}\n".encode())
    for path in sorted(tables):
        digest.update(f"table {path.relative_to(root).as_posix()} {sha256(path)}\n".encode())
    return digest.hexdigest()


def canonical(code: str) -> str:
    """One line of text for the syntax tree of `code`, without docstrings."""
    return _write(ast.parse(code))


def _write(value: object) -> str:
    if isinstance(value, ast.AST):
        fields = ((name, getattr(value, name, None)) for name in value._fields)
        # unset fields are left out: newer versions of Python add some
        text = ",".join(f"{name}={_write(entry)}" for name, entry in fields if entry is not None and entry != [])
        return f"{type(value).__name__}({text})"
    if isinstance(value, list):
        return "[" + ",".join(_write(entry) for entry in value if not _is_docstring(entry)) + "]"
    return repr(value)


def _is_docstring(node: object) -> bool:
    """Whether a statement is a bare string, which does nothing."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
