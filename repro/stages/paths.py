"""Files that stages hand to each other, as dvc.yaml names them."""

from pathlib import Path
from typing import Final

PACK: Final = Path("data/pack/nodes_ci.h5")
NODES: Final = Path("data/nodes.h5")
SPECTRA: Final = Path("data/spectra")
VALIDATION: Final = Path("results/validate/summary.json")

TRACK_C: Final = Path("results/trackC")
CEILING: Final = TRACK_C / "ceiling.h5"
AUTODIFF: Final = TRACK_C / "autodiff.h5"
EVIDENCE: Final = TRACK_C / "evidence.json"
FIGURES: Final = TRACK_C / "figures"
VERDICTS: Final = TRACK_C / "verdicts.json"


def set_path(split: str, folder: Path = SPECTRA) -> Path:
    """File of the spectrum set of one split."""
    return folder / f"{split}.h5"
