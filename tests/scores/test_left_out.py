from dataclasses import fields

from repro.params import MatrixParams
from repro.scores.left_out import NAMES, Missing, left_out


def test_only_what_the_larger_scale_adds_is_named():
    own = {"sizes": (1000, 8000), "seeds": 3, "trees": 300, "tree_rates": (0.05, 0.1), "_key": "ci"}
    lab = {"sizes": (8000, 100000), "seeds": 3, "trees": 5000, "tree_rates": (0.1,), "_key": "lab"}
    assert list(left_out(own, lab)) == [
        Missing("training spectra", "100000", "1000, 8000"),
        Missing("trees at most", "5000", "300"),
    ]
    assert list(left_out(own, own)) == []


def test_every_parameter_of_the_matrix_has_a_name():
    assert {field.name for field in fields(MatrixParams)} - {"_key"} == set(NAMES)
