"""Files that stages hand to each other, as dvc.yaml names them."""

from pathlib import Path
from typing import Final

BOSZ: Final = Path("data/bosz")  # slices of downloaded files, by release
FETCHED: Final = Path("data/fetched.json")
PACKS: Final = Path("data/pack")
NODES_3D: Final = Path("data/nodes_3d.h5")
NODES_5D: Final = Path("data/nodes_5d.h5")
SPECTRA: Final = Path("data/spectra")
VALIDATION: Final = Path("results/validate/summary.json")

TRACK_C: Final = Path("results/trackC")
CEILING_3D: Final = TRACK_C / "ceiling_3d.h5"
CEILING_5D: Final = TRACK_C / "ceiling_5d.h5"
AUTODIFF: Final = TRACK_C / "autodiff.h5"
STEPS: Final = TRACK_C / "steps.h5"
NEIGHBOURS: Final = TRACK_C / "neighbours.h5"
NUISANCES: Final = TRACK_C / "nuisances.h5"
STARS: Final = TRACK_C / "stars.h5"
LEAK: Final = TRACK_C / "leak.h5"
VAN_TREES: Final = TRACK_C / "van_trees.h5"
POSTERIOR: Final = TRACK_C / "posterior.h5"
PREDICTIONS: Final = TRACK_C / "predictions.h5"
NOISE_LAWS: Final = TRACK_C / "noise_laws.h5"
EVIDENCE: Final = TRACK_C / "evidence.json"
FIGURES: Final = TRACK_C / "figures"
MODELS_C: Final = Path("models/trackC")
VERDICTS: Final = TRACK_C / "verdicts.json"

TRACK_A: Final = Path("results/trackA")
VIT: Final = TRACK_A / "vit.h5"
ATTENTION: Final = TRACK_A / "attention.h5"
EVIDENCE_A: Final = TRACK_A / "evidence.json"
FIGURES_A: Final = TRACK_A / "figures"
VERDICTS_A: Final = TRACK_A / "verdicts.json"
MODELS_A: Final = Path("models/trackA")

EVIDENCE_E: Final = Path("results/trackE/evidence.json")
VERDICTS_E: Final = EVIDENCE_E.with_name("verdicts.json")
FIGURES_E: Final = EVIDENCE_E.with_name("figures")

TRACK_F: Final = Path("results/trackF")
LINEAR: Final = TRACK_F / "linear.h5"
TREES: Final = TRACK_F / "trees.h5"
NETWORKS: Final = TRACK_F / "networks.h5"
ROSTER: Final = TRACK_F / "roster.h5"
EVIDENCE_F: Final = TRACK_F / "evidence.json"
LEADERBOARD: Final = TRACK_F / "leaderboard.json"
FIGURES_F: Final = TRACK_F / "figures"
MODELS_F: Final = Path("models/trackF")
VERDICTS_F: Final = TRACK_F / "verdicts.json"
PRINCIPLES: Final = TRACK_F / "principles.png"
WORK: Final = Path("data/work")  # what unfinished stages keep


def bosz_manifest(release: int) -> Path:
    """File of the pinned hashes of a release, tracked by git."""
    return Path(f"data/manifests/bosz{release}.json")


def set_path(split: str, folder: Path = SPECTRA) -> Path:
    """File of the spectrum set of one split."""
    return folder / f"{split}.h5"
