"""The evidence of Track A, from files to entries that claims can read, and back from what is recorded."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from repro.claims.evidence import parse_evidence
from repro.claims.recorded import read_recorded, record
from repro.errors import ClaimError, DataError
from repro.experiments.attention_table import CLASSES, MAPS, VARIANTS, AttentionTable
from repro.experiments.attention_table import REFERENCES as INFORMATION
from repro.files import md5, sha256
from repro.scores.ablations import ablations, against_main
from repro.scores.attention_items import attention_items
from repro.scores.bins import mae, r2
from repro.scores.bootstrap import Undefined
from repro.scores.ceiling_gap import ceiling_items
from repro.scores.contenders import Contenders
from repro.scores.headline import headline_items, star_items
from repro.scores.star_references import StarReferences
from repro.scores.track_a import ARMS, ATTENTION, BASELINES, FILES, REFERENCES, Tables, compared, families
from repro.stages.evidence import write_evidence
from tests.plots.vit_tables import contenders, references, with_predictions

CONDITIONS = {"scale": "lab", "source": "lte", "noise": 1.0}
ADDRESS = re.compile(r"[\w.+=-]+(/[\w.+=-]+)*")  # what the registry of claims takes for one


def attention(stars=12, cells=16, heads=2):
    """Maps of made-up stars over cells of four pixels, without structure."""
    rng = np.random.default_rng(5)
    labels = rng.uniform((3750, 1, -2.5, -0.25, -0.75), (6000, 5, 0.75, 0.5, 0.5), size=(stars, 5))
    pixels, v = 4 * cells, len(VARIANTS)
    groups = ("Ca II triplet", "Na I")

    def shares(*shape):
        values = rng.uniform(0.5, 1.5, size=(*shape, cells))
        return (values / values.sum(axis=-1, keepdims=True)).astype(np.float32)

    return AttentionTable(
        model="vit_small",
        variants=VARIANTS,
        maps=MAPS,
        references=INFORMATION,
        groups=groups,
        wave=np.linspace(7100.2, 8849.8, pixels),
        windows=np.arange(pixels) // 8 == np.arange(len(groups))[:, None],
        stars=np.arange(stars),
        labels=labels,
        snr=rng.uniform(3, 18, stars),
        cells_a_token=1,
        values=shares(v, len(MAPS), stars),
        reference_values=shares(len(INFORMATION), stars),
        heads=shares(v, len(CLASSES), 2, heads),
        row_sums=np.tile([1.0, 1.0], (v, 1)),
        predictions=rng.uniform(1, 5, size=(v, stars)),
        occluded=rng.normal(size=(stars, len(groups))),
        flux=np.full((len(CLASSES), pixels), 0.5, dtype=np.float32),
        profiles=np.full((2, len(CLASSES), pixels), 1.0 / pixels, dtype=np.float32),
        conditions={"n_train": 8000, "level": 1.0},
    )


@pytest.fixture(scope="module")
def known():
    return contenders(stars=170, choices=True, model="vit", sizes=(1000, 2000, 4000, 8000))


@pytest.fixture(scope="module")
def root(known, tmp_path_factory):
    """A project after a run at scale lab."""
    root = tmp_path_factory.mktemp("project")
    folder = root / "results" / "trackA"
    folder.mkdir(parents=True)
    known.own.write(folder / ARMS)
    known.baselines.write(folder / BASELINES)
    references(known).write(folder / REFERENCES)
    attention().write(folder / ATTENTION)
    tables = Tables.read(folder)
    write_evidence(folder / "evidence.json", CONDITIONS, families(tables), [], compared)
    data = json.loads((folder / "evidence.json").read_text())
    data["dependencies"] = {f"results/trackA/{name}": md5(folder / name) for name in FILES}
    (folder / "evidence.json").write_text(json.dumps(data))
    outs = [f"results/trackA/{name}" for name in (*FILES, "evidence.json")]
    entries = "".join(f"    - path: {path}\n      md5: {md5(root / path)}\n" for path in outs)
    (root / "dvc.lock").write_text(f"schema: '2.0'\nstages:\n  a:\n    cmd: x\n    outs:\n{entries}")
    return root


@pytest.fixture(scope="module")
def evidence(root):
    return json.loads((root / "results/trackA/evidence.json").read_text())


def test_the_claims_can_read_it(evidence):
    parsed = parse_evidence(evidence, "trackA", "evidence.json")
    assert all(ADDRESS.fullmatch(address) for address in parsed.values)
    value = parsed.values["headline/r2"]
    assert value.estimate.runs == 3 and value.estimate.seeded and value.estimate.bootstrap > 0
    assert {k: value.conditions[k] for k in ("model", "recipe", "n_train", "level", "seeds")} == {
        "model": "vit", "recipe": "short", "n_train": 8000, "level": 1.0, "seeds": 3,
    }  # fmt: skip
    assert parsed.values["baseline/template/r2"].estimate.seeded is False


RELIED_ON = """
headline/mae_z              headline/snr/8.5-12.5/slope    headline/quantile/8/r2     headline/type/dwarfs/mae
headline/residual/median    headline/snr_column/8.5-12.5/r2 fast/r2                    baseline/lightgbm/type/giants/mae
gain/template/r2            gain/ridge/relative            gain/lightgbm/snr/8.5-12.5/r2   gain/mlp/n1000/r2
scaling/vit/n8000/mae_z     scaling/vit/n1000-8000/r2_gain scaling/vit-lightgbm/per_decade_ratio
scaling/vit/fit/exponent    crossover/vit-ridge/share      ceiling/mmse/snr/8.5-12.5/r2  gap/median/snr/8.5-12.5/r2
eta/mmse                    ratio/mmse                     leak                       leak/vit
validation/r2               validation/sampling_error      test/sampling_error        labels_on_node/share
lattice/vit/off_node/r2     lattice/vit/r2_gap             lattice/optimum/attraction lattice/vit/attraction_off_p
invariance/r2               invariance/mae_ratio           snr/max                    snr_definition/ratio
residual/snr/8.5_12.5/bias published/eta/mixed            attention/all/attention/na_i/enrichment
tokenizer/vit/tokenizer=sw/noise1/n8000/r2                 kept/vit/kept=last/noise1/n8000/epochs
tokenizer/vit/tokenizer=sw-tokenizer=c1d/noise1/n8000/r2_gain
tokenizer/vit/tokenizer=sw+init=conv-tokenizer=sw/noise1/n8000/r2_gain
lattice/vit/law=continuous-law=paper/noise1/n8000/r2_gain  lattice/vit/law=continuous/noise1/n8000/near_node_off
swin/swin/noise1/n8000/gain_over_main                      fast/vit_fast/noise1/n8000/gain_over_main
cross_noise/vit/noise2/test0.5/n8000/gain_over_matched
"""


def test_what_claims_rely_on_is_there(evidence):
    for address in RELIED_ON.split():
        entry = evidence["values"][address]
        assert entry.get("value", entry.get("runs")) is not None, (address, entry["reason"])


def test_what_has_no_value_says_why(evidence):
    assert "1 sizes in common" in evidence["values"]["crossover/vit-cnn/n"]["reason"]
    assert "stars, fewer than 20" in evidence["values"]["headline/snr/18-28/r2"]["reason"]
    reasons = [entry["reason"] for entry in evidence["values"].values() if entry.get("value", 0) is None]
    assert all(reasons) and not any(reason.startswith("not defined") for reason in reasons)


def test_resamples_are_kept_of_what_claims_compare(evidence):
    kept = {address for address, entry in evidence["values"].items() if "replicates" in entry}
    assert {"headline/r2", "baseline/ridge/r2", "scaling/vit/n1000/r2", "ceiling/mmse/snr/8.5-12.5/r2"} < kept
    assert kept == {a for a in evidence["values"] if compared(a) and evidence["values"][a].get("value", 0) is not None}


def test_recorded_evidence_is_made_again_from_its_own_files(root, evidence):
    record(root, "trackA")
    for file in (root / "results/trackA").iterdir():
        assert (root / "tracks/trackA/recorded" / file.name).exists()
    found = read_recorded(root, "trackA")
    assert found.values["headline/r2"].estimate.values == pytest.approx(evidence["values"]["headline/r2"]["runs"])
    folder = root / "tracks/trackA/recorded"
    data = json.loads((folder / "evidence.json").read_text())
    data["values"]["gap/mmse/r2"]["runs"][1] += 0.01
    (folder / "evidence.json").write_text(json.dumps(data))
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"]["evidence.json"] = sha256(folder / "evidence.json")
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ClaimError, match="gap/mmse/r2 is recorded as"):
        read_recorded(root, "trackA")


def test_other_stars_and_missing_files_are_refused(root, tmp_path):
    for name in FILES:
        (tmp_path / name).write_bytes((root / "results/trackA" / name).read_bytes())
    references(contenders(stars=60)).write(tmp_path / REFERENCES)
    with pytest.raises(DataError, match="belongs to other test stars"):
        Tables.read(tmp_path)
    (tmp_path / REFERENCES).unlink()
    with pytest.raises(DataError, match=r"references\.h5"):
        Tables.read(tmp_path)


def test_it_needs_no_torch():
    code = "import sys, repro.scores.track_a; sys.exit('torch' in sys.modules or 'pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], check=False).returncode == 0


def test_the_recipe_is_the_published_one_after_all_of_its_updates(known):
    rows = known.own.rows(experiment="main", n_train=8000)

    def recipe(steps):
        facts = tuple(json.dumps({"steps": steps}) if row in rows else f for row, f in enumerate(known.own.facts))
        return Tables(Contenders(replace(known.own, facts=facts), known.baselines), references(known), None).recipe

    assert recipe(200 * 32) == "published"  # 32 batches of 256 hold 8000 spectra
    assert recipe(199 * 32) == recipe(200 * 31) == "short"


def test_scores_of_the_headline_are_those_of_its_predictions(known):
    found = {address: value for address, value, _ in headline_items(known, references(known), "published")}
    table = known.scores.table
    predictions = table.predictions[known.scores.rows(known.main)].astype(float)
    assert found["headline/r2"].runs == pytest.approx([r2(table.truth, one) for one in predictions], abs=1e-6)
    deviations = known.scores.facts(known.main)["label_std"]
    each = [mae(table.truth, one) / deviation for one, deviation in zip(predictions, deviations, strict=True)]
    assert found["headline/mae_z"].runs == pytest.approx(each, abs=1e-6)
    drawn = found["headline/residual/median"]
    assert drawn.runs == pytest.approx([np.median(one - table.truth) for one in predictions], abs=1e-6)
    assert drawn.error > 0
    gain, own, other = (found[name] for name in ("gain/ridge/relative", "headline/r2", "baseline/ridge/r2"))
    assert gain.runs == pytest.approx(np.divide(own.runs, other.runs) - 1.0)
    assert found["validation/gap"].runs == pytest.approx(np.subtract(found["validation/r2"].runs, own.runs))


def test_sampling_errors_follow_the_number_of_stars():
    """Against the error of R2 of a bivariate normal law, 2 R (1 - R^2) / sqrt(n)."""
    rng = np.random.default_rng(2)
    known = contenders(stars=1000, seeds=(0,))
    truth = known.scores.table.truth
    shaped = with_predictions(known, "main", truth + 0.6 * truth.std() * rng.standard_normal(1000))
    found = {a: v for a, v, _ in headline_items(shaped, references(shaped), "short")}
    score = found["headline/r2"].value
    for address, n in (("validation/sampling_error", 1000), ("test/sampling_error", 10_000)):
        assert found[address] == pytest.approx(2.0 * np.sqrt(score) * (1.0 - score) / np.sqrt(n), rel=0.35)
    assert found["validation/sampling_error"] / found["test/sampling_error"] == pytest.approx(np.sqrt(10))


def test_labels_and_their_transformations(known):
    found = {address: value for address, value, _ in star_items(known)}
    assert abs(found["invariance/r2"]) < 1e-12 and found["invariance/mae_ratio"] == pytest.approx(1.0, abs=1e-12)
    truth = known.scores.table.truth
    assert found["labels/log_g/test_std"] == pytest.approx(truth.std())
    assert found["labels_on_node/share"].value == np.mean(np.isclose(2 * truth, np.round(2 * truth)))
    assert isinstance(found["labels/log_g/mean"], Undefined)  # these arms do not say it


def test_gaps_are_those_of_the_same_stars(known):
    table, own = known.scores.table, references(known)
    own.loss[1, ::7] = np.nan  # the optimum is not known for all
    found = {address: value for address, value, _ in ceiling_items(known, own, "published")}
    use = np.arange(len(table.truth)) % 7 != 0
    members = use & (table.snr >= 8.5) & (table.snr < 12.5)
    for place, chosen in (("", use), ("/snr/8.5-12.5", members)):
        truth = table.truth[chosen]
        best = 1.0 - np.mean(own.loss[1, chosen]) / np.var(truth)
        runs = [r2(truth, one[chosen]) for one in table.predictions[known.scores.rows(known.main)]]
        assert found[f"ceiling/mmse{place}/r2"].value == pytest.approx(best)
        assert found[f"gap/mmse{place}/r2"].runs == pytest.approx(best - np.array(runs), abs=1e-6)
        assert found[f"eta/mmse{place}"].value == pytest.approx(np.mean(runs) / best, abs=1e-6)
    median = 1.0 - np.mean(own.loss[2, members])  # in units of the variance of the bin
    assert found["ceiling/median/snr/8.5-12.5/r2"].value == pytest.approx(median)
    assert found["leak"] == found["leak/vit"] == 0.0


def test_a_model_that_sees_the_labels_raises_the_alarm(known):
    truth = known.scores.table.truth
    spoilt = with_predictions(known, "main", truth + 0.01)
    found = {address: value for address, value, _ in ceiling_items(spoilt, references(known), "published")}
    assert found["leak"] == found["leak/vit"] == 1.0


def test_who_is_compared_with_whom(known):
    pairs = {(one.cell.setting, one.reference.setting) for one in ablations(known.scores)}
    assert ("tokenizer=sw+init=conv", "tokenizer=sw") in pairs and ("tokenizer=sw+init=conv", "tokenizer=c1d") in pairs
    assert ("patch=32+width=256+depth=4+stride=8", "patch=16+width=256+depth=6") in pairs
    assert not any(first == second or second == "" for first, second in pairs)
    mains = {one.cell.experiment: one.reference.experiment for one in against_main(known.scores)}
    assert mains == {"fast": "main", "swin": "tokenizer", "cnn_matched": "tokenizer"}


def test_architectures_answer_to_trainings_of_as_many_epochs(known):
    def with_epochs(wanted):
        own = known.own
        facts = tuple(json.dumps({"epochs_run": wanted.get(name, 50)}) for name in own.experiments)
        return {
            one.cell.experiment: one.reference.experiment
            for one in against_main(Contenders(replace(own, facts=facts), known.baselines).scores)
        }

    assert with_epochs({"main": 200, "fast": 16}) == {"fast": "main", "swin": "tokenizer", "cnn_matched": "tokenizer"}
    assert with_epochs({"main": 200, "tokenizer": 7})["swin"] == "loss"
    assert with_epochs({})["swin"] == "main"
    assert "swin" not in with_epochs({"swin": 30})


def test_ceilings_are_kept_for_the_stars_that_have_them(known, tmp_path):
    own = references(known)
    own.loss[0, 3], own.loss[0, 4] = np.nan, np.inf
    own.write(tmp_path / "r.h5")
    crlb, mmse, *_ = StarReferences.read(tmp_path / "r.h5").ceilings()
    assert 3 not in crlb.stars and 4 in crlb.stars and np.isinf(crlb.loss[3])
    assert mmse.observer == "flux" and not mmse.relative and len(mmse.stars) == 170


def test_items_of_the_maps_are_taken_over(evidence):
    own = {address for address, _, _ in attention_items(attention())}
    assert own < set(evidence["values"])
