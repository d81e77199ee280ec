"""params.yaml: every wrong value is named with its key and its rule; reads are audited."""

from dataclasses import fields
from pathlib import Path

import pytest
import yaml

from repro.errors import ParameterError
from repro.params import Params, audited, read_params

ROOT = Path(__file__).parent.parent


def write(folder: Path, **changes: object) -> Path:
    content = yaml.safe_load((ROOT / "params.yaml").read_text())
    for key, value in changes.items():
        *sections, last = key.split("__")
        target = content
        for section in sections:
            target = target[section]
        if value is None:
            del target[last]
        else:
            target[last] = value
    path = folder / "params.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def test_the_committed_file_is_valid_and_paper_sized() -> None:
    params = read_params(ROOT / "params.yaml")
    assert (params.noise, params.source) == (1.0, "lte")
    assert (params.paper.train, params.paper.test) == (1_000_000, 10_000)
    lattice = [len(axis) for axis in (params.nodes.T_eff, params.nodes.log_g, params.nodes.M_H)]
    assert lattice == [10, 9, 14]
    assert len(params.paper.a_M) * len(params.paper.C_M) * 1260 == 30_240


@pytest.mark.parametrize("scale", ["ci", "lab", "paper"])
def test_size_is_the_section_that_scale_names(tmp_path: Path, scale: str) -> None:
    params = read_params(write(tmp_path, scale=scale))
    assert params.size.train == yaml.safe_load((ROOT / "params.yaml").read_text())[scale]["train"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"noise": "abc"}, "noise = 'abc' is not valid: it must be a finite number > 0"),
        ({"noise": -1.0}, "noise = -1.0"),
        ({"noise": 0}, "noise = 0"),
        ({"noise": float("nan")}, "noise = nan"),
        ({"noise": float("inf")}, "noise = inf"),
        ({"noise": True}, "noise = True"),
        ({"noise": [1.0]}, "noise = [1.0]"),
        ({"scale": "huge"}, "scale = 'huge' is not valid: it must be one of ci, lab, paper"),
        ({"scale": 3}, "scale = 3"),
        ({"seed": 1.5}, "seed = 1.5"),
        ({"seed": -1}, "seed = -1"),
        ({"source": "phoenix"}, "source = 'phoenix' is not valid: it must be one of lte"),
        ({"ci__test": "many"}, "ci.test = 'many'"),
        ({"ci__trian": 10}, "unknown parameter 'ci.trian'. Did you mean 'ci.train'?"),
        ({"nosie": 1.0}, "unknown parameter 'nosie'. Did you mean 'noise'?"),
        ({"nodes__T_eff": [4000, 3750]}, "nodes.T_eff = [4000, 3750]"),
        ({"nodes__T_eff": []}, "nodes.T_eff = []"),
        ({"nodes__log_g": [1.0, "two"]}, "nodes.log_g = [1.0, 'two']"),
        ({"spectra__mag_min": 23.0}, "spectra.mag_min = 23 exceeds spectra.mag_max = 22.5"),
        ({"ci__trackF__sizes": [1000, 9000]}, "ci.trackF.sizes = 9000 exceeds ci.train = 8000"),
        ({"ci__trackF__sizes": [1000.5]}, "ci.trackF.sizes = [1000.5]"),
        ({"lab__trackF__cnn_size": 200_000}, "lab.trackF.cnn_size: 200000 is not one of lab.trackF.sizes"),
        ({"ci__trackF__network_sizes": [3000]}, "ci.trackF.network_sizes: 3000 is not one of ci.trackF.sizes"),
        ({"ci__trackF__repeated": [0.3]}, "ci.trackF.repeated: 0.3 is not one of trackF.levels"),
        ({"trackF__levels": [-0.1, 1.0]}, "trackF.levels = [-0.1, 1.0]"),
        (
            {"ci__trackF__tree_leafs": 3},
            "unknown parameter 'ci.trackF.tree_leafs'. Did you mean 'ci.trackF.tree_leaves'?",
        ),
        ({"ci__trackF__trees": None}, "the parameter 'ci.trackF.trees' is missing"),
        ({"ci__trackA__main": "large"}, "ci.trackA.main = 'large' is not valid: it must be one of small, published"),
        ({"lab__trackA__sizes": [5000, 10000]}, "lab.trackA.sizes: 5000 is not one of lab.trackF.sizes"),
        ({"ci__trackA__ablation_size": 1000}, "ci.trackA.ablation_size: 1000 is not one of ci.trackA.sizes"),
        ({"ci__trackA__ablations": ["positions", "rope"]}, "it must be a list of some of tokenizer, positions"),
        ({"ci__trackA__ablations": ["loss", "loss"]}, "ci.trackA.ablations = ['loss', 'loss'] is not valid"),
        ({"ci__trackA__ablations": "loss"}, "ci.trackA.ablations = 'loss' is not valid"),
        ({"ci__trackA__published_steps": -1}, "ci.trackA.published_steps = -1 is not valid"),
        ({"ci__trackA__attention_stars": 1001}, "ci.trackA.attention_stars = 1001 exceeds ci.test = 1000"),
        ({"noise": None}, "the parameter 'noise' is missing"),
        ({"nodes": 3}, "'nodes.' must be a table"),
    ],
)
def test_a_wrong_value_is_named(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    path = write(tmp_path, **changes)
    with pytest.raises(ParameterError) as caught:
        read_params(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_missing_or_broken_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="no such file"):
        read_params(tmp_path / "params.yaml")
    broken = tmp_path / "params.yaml"
    broken.write_text("noise: [1.0")
    with pytest.raises(ParameterError, match="not valid YAML"):
        read_params(broken)


def test_reading_an_undeclared_parameter_fails() -> None:
    params = read_params(ROOT / "params.yaml")
    with audited(frozenset({"scale", "nodes", "ci.test"}), "some-stage"):
        assert params.nodes.microturbulence == 2.0  # a whole section is declared
        assert params.size.test > 0
        with pytest.raises(ParameterError, match=r"stage some-stage reads the parameter 'ci\.train'"):
            _ = params.size.train
        with pytest.raises(ParameterError, match="'noise'"):
            _ = params.noise
    assert params.noise == 1.0  # outside the audit everything may be read


def test_the_check_stage_declares_every_top_level_key() -> None:
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    assert set(stages["params"]["params"]) == {item.name for item in fields(Params) if item.name != "_key"}
