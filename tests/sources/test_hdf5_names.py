"""Names out of pickles: agreement with pickle itself on lists of strings, and nothing else is accepted."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repro.sources.hdf5.names import listed_strings

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)


@given(st.lists(st.text(max_size=12), unique=True, max_size=12), st.sampled_from(PROTOCOLS))
def test_a_list_of_names_is_read_in_every_protocol(names, protocol):
    assert listed_strings(pickle.dumps(names, protocol)) == tuple(names)


@pytest.mark.parametrize("old", [b"(lp1\nS'T_eff'\np2\naS'log_g'\np3\na.", b"]q\x00(U\x05T_effq\x01U\x05log_gq\x02e."])
def test_a_list_of_names_written_by_python_2_is_read(old):
    assert listed_strings(old) == ("T_eff", "log_g")


class Trap:
    def __reduce__(self):
        return (print, ("sprung",))


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("value", [Trap(), ["T_eff", Trap()], {"T_eff": 1}, ["T_eff", 5], ("T_eff",), ["T_eff", None]])
def test_anything_else_is_refused_and_never_run(value, protocol, capsys):
    with pytest.raises(ValueError, match=r"instruction \w+ at byte \d+ is not of a plain list"):
        listed_strings(pickle.dumps(value, protocol))
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(("broken", "message"), [
    (b"", "pickle exhausted"),
    (b"(lp0\nVT_eff", "newline|exhausted"),
    (b"VT_eff\n.", "holds 0 lists"),
    (pickle.dumps([["T_eff"], ["log_g"]]), "holds 3 lists"),
    (b"\xff\xff", "opcode"),
])  # fmt: skip
def test_what_is_no_pickle_of_one_list_is_refused(broken, message):
    with pytest.raises(ValueError, match=message):
        listed_strings(broken)
