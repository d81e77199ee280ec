"""Which of the kit's modules a module imports, directly or through others, read from the source."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path


def import_closure(root: Path, module: str) -> set[str]:
    """Files below `root` (posix, relative) that importing `module` of package `repro` may execute."""
    files: set[str] = set()
    pending = [module]
    while pending:
        name = pending.pop()
        path = module_file(root, name)
        if path is None or path.relative_to(root).as_posix() in files:
            continue
        files.add(path.relative_to(root).as_posix())
        pending += imported(path, name)
        if "." in name:
            pending.append(name.rpartition(".")[0])
    return files


def module_file(root: Path, name: str) -> Path | None:
    """The file of a module or package of the kit, None for anything else."""
    base = root.joinpath(*name.split("."))
    candidates = (base.with_suffix(".py"), base / "__init__.py")
    return next((path for path in candidates if name.split(".")[0] == "repro" and path.is_file()), None)


@cache
def imported(path: Path, name: str) -> tuple[str, ...]:
    """Names that the import statements of a file may bind to modules, inside functions too; read once."""
    return tuple(_imported(path, name))


def _imported(path: Path, name: str) -> Iterator[str]:
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in executed(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            anchor = ".".join(package.split(".")[: len(package.split(".")) + 1 - node.level]) if node.level else ""
            base = ".".join(filter(None, (anchor, node.module)))
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def executed(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes below `node` except the bodies of `if TYPE_CHECKING`."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        yield child
        yield from executed(child)
