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
CEILING: Final = TRACK_C / "ceiling.h5"
AUTODIFF: Final = TRACK_C / "autodiff.h5"
EVIDENCE: Final = TRACK_C / "evidence.json"
FIGURES: Final = TRACK_C / "figures"
VERDICTS: Final = TRACK_C / "verdicts.json"


def bosz_manifest(release: int) -> Path:
    """File of the pinned hashes of a release, tracked by git."""
    return Path(f"data/manifests/bosz{release}.json")


def set_path(split: str, folder: Path = SPECTRA) -> Path:
    """File of the spectrum set of one split."""
    return folder / f"{split}.h5"
