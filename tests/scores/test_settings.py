from math import isnan

from repro.scores.names import DISPLAY, display, simplicity
from repro.scores.settings import joined, number, only, part, parts, without

SETTING = "input=error+alpha=1e+05+cut=float32"


def test_parts_survive_numbers_with_a_plus():
    assert parts(SETTING) == {"input": "error", "alpha": "1e+05", "cut": "float32"}
    assert joined(parts(SETTING)) == SETTING
    assert number(SETTING, "alpha") == 1e5
    assert isnan(number(SETTING, "cut")) and isnan(number(SETTING, "k")) and isnan(number("", "k"))
    assert part(SETTING, "cut") == "float32" and part(SETTING, "k") is None and parts("") == {}


def test_parts_are_kept_and_left_out_in_order():
    assert only(SETTING, ("cut", "input")) == "input=error+cut=float32"
    assert without(SETTING, ("alpha",)) == "input=error+cut=float32"
    assert only(SETTING, ("k",)) == "" == without("k=5", ("k",))


def test_unknown_models_show_their_own_name_and_stand_before_those_that_are_trained():
    assert display("ridge") == "Ridge" and display("neighbours") == "neighbours"
    order = sorted([*DISPLAY, "neighbours"], key=simplicity)
    assert order[0] == "ols" and order.index("lightgbm") == order.index("neighbours") + 1
