"""The grammar: every form is understood, every other text is refused with one sentence that says what to write."""

from pathlib import Path

import pytest

from repro.errors import ParameterError
from repro.view.spec import AtLabels, PlainFile, Row, parse


def test_a_source_or_a_node_at_labels():
    source = parse("lte:T_eff=4750,log_g=2,M_H=-1,a_M=0.25")
    assert isinstance(source, AtLabels) and source.place == "lte"
    assert source.array.tolist() == [4750.0, 2.0, -1.0, 0.25, 0.0]
    node = parse("a/b:c/nodes.h5:M_H=0,T_eff=5e3,log_g=3")
    assert isinstance(node, AtLabels) and node.place == Path("a/b:c/nodes.h5")
    assert node.array.tolist() == [5000.0, 3.0, 0.0, 0.0, 0.0]


def test_a_row_and_a_file(tmp_path):
    assert parse("data/spectra/test.h5#12") == Row("data/spectra/test.h5#12", Path("data/spectra/test.h5"), 12)
    for text, medium in (("s.csv", None), ("s.csv:air", "air"), ("s.fits:vacuum", "vacuum")):
        spec = parse(text)
        assert isinstance(spec, PlainFile) and spec.medium == medium and spec.path == Path(text.split(":")[0])
    odd = tmp_path / "a:b"
    odd.write_text("")
    assert parse(str(odd)) == PlainFile(str(odd), odd, None)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("lte", "a source needs labels, such as lte:T_eff=5000"),
        ("lte:", "a source needs labels, such as lte:T_eff=5000"),
        ("lte:T_eff=5000,log_g=3", "M_H is missing; only a_M and C_M may be left out"),
        ("lte:T_eff=5000,logg=3,M_H=0", "'logg' is none of the labels T_eff, log_g, M_H, a_M, C_M"),
        ("lte:T_eff=5000,T_eff=6000,log_g=3,M_H=0", "T_eff is given twice"),
        ("lte:T_eff=hot,log_g=3,M_H=0", "T_eff='hot' is not a number"),
        ("lte:T_eff=nan,log_g=3,M_H=0", "T_eff='nan' is not finite"),
        ("phoenix:T_eff=5000,log_g=3,M_H=0", "'phoenix' is neither a source .lte, bosz, bosz2024. nor an HDF5 file"),
        ("nodes.h5", "say which spectrum of the file: nodes.h5:T_eff=5000,log_g=3,M_H=0 or nodes.h5#12"),
        ("test.h5#twelve", "after # comes the number of a row, counted from 0, not 'twelve'"),
        ("test.h5#-1", "after # comes the number of a row"),
        ("star.csv:ether", "not understood. A spectrum is SOURCE:T_eff=5000"),
    ],
)
def test_one_clear_error(text, said):
    with pytest.raises(ParameterError, match=said) as caught:
        parse(text)
    assert str(caught.value).startswith(f"{text}: ") and "\n" not in str(caught.value)
