"""The tables and measured numbers in the documents are those that the evidence in git gives."""

import difflib

import pytest

from tests.project.documents import BLOCK, DOCUMENTS, QUOTED, ROOT, excerpt, refreshed


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_quotes_the_present_results(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    changes = list(difflib.unified_diff(text.splitlines(), refreshed(name).splitlines(), lineterm="", n=0))
    assert not changes, f"{name}: `python -m tests.project.documents` renews it\n" + "\n".join(changes[:40])


def test_something_is_quoted() -> None:
    texts = [(ROOT / name).read_text(encoding="utf-8") for name in DOCUMENTS]
    assert sum(len(QUOTED.findall(text)) for text in texts) > 20
    assert all(text.count("<!-- prints:") + text.count("<!-- excerpt:") == len(BLOCK.findall(text)) for text in texts)


def test_an_excerpt_keeps_its_claims_and_takes_their_present_rows() -> None:
    table = ["title", "Claim  Verdict", "C-1  new", "     more", "C-2  x", "", "judged 2 of 2"]
    old = ["title", "Claim  Verdict", "C-1  old", "", "judged 1 of 2"]
    assert excerpt(table, old) == ["title", "Claim  Verdict", "C-1  new", "     more", "", "judged 2 of 2"]
