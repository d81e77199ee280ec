"""The table reader: what it says when a table is missing or broken, and that every table has its citation."""

import pytest

from repro.errors import DataError
from repro.physics import data


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(data, "TABLES", tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "cannot be read"), ("{\n\n1}", "line 3: not valid JSON"), ("[1]", "must be an object")],
)
def test_a_bad_table_is_named_with_what_is_wrong(folder, content, message):
    if content is not None:
        (folder / "bad_table.json").write_text(content)
    with pytest.raises(DataError, match=rf"bad_table\.json.*{message}"):
        data.read_table("bad_table")


def test_every_table_is_cited_in_the_readme():
    readme = (data.TABLES / "README.md").read_text(encoding="utf-8")
    tables = [path.name for path in data.TABLES.iterdir() if path.name != "README.md"]
    assert len(tables) >= 4
    assert [name for name in tables if f"`{name}`" not in readme] == []
