"""A folder of figures that is written whole or not at all."""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

Draw = Callable[[Path], object]


def write_figures(drawings: Mapping[str, Draw], folder: Path) -> None:
    """Write `folder`/<name>.png for every name, in place of what was there."""
    temporary = folder.with_name(f".{folder.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    for name, draw in drawings.items():
        draw(temporary / f"{name}.png")
    shutil.rmtree(folder, ignore_errors=True)
    temporary.rename(folder)
