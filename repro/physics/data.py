"""Reading of the JSON tables beside the code (tables/README.md says where each comes from)."""

import json
from functools import cache
from pathlib import Path
from typing import Any

from repro.errors import DataError

TABLES = Path(__file__).parent / "tables"


@cache
def read_table(name: str) -> dict[str, Any]:
    """Content of `tables/<name>.json`. Shared between callers: never change it.

    Raises DataError when the file is missing or is not a JSON object.
    """
    path = TABLES / f"{name}.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); reinstall the package") from error
    except json.JSONDecodeError as error:
        raise DataError(f"{path}: line {error.lineno}: not valid JSON ({error.msg}); reinstall the package") from error
    if not isinstance(content, dict):
        raise DataError(f"{path}: the outermost value must be an object; reinstall the package")
    return content
