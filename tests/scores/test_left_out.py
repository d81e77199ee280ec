from repro.scores.left_out import Missing, left_out


def test_only_what_the_larger_scale_adds_is_named():
    own = {"sizes": (1000, 8000), "seeds": 3, "trees": 300, "tree_rates": (0.05, 0.1), "_key": "ci"}
    lab = {"sizes": (8000, 100000), "seeds": 3, "trees": 5000, "tree_rates": (0.1,), "_key": "lab"}
    assert list(left_out(own, lab)) == [
        Missing("training spectra", "100000", "1000, 8000"),
        Missing("trees at most", "5000", "300"),
    ]
    assert list(left_out(own, own)) == []
