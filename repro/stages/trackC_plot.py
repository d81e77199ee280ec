"""Stage `trackC-plot`: the figures of Track C."""

import shutil
from typing import Final

from repro.bounds.table import CeilingTable
from repro.plots import crlb_distribution, r2max_vs_snr, schur_ratio, sigma_map, sigma_vs_snr
from repro.stages.paths import CEILING, FIGURES
from repro.stages.runner import Run, run_stage

DRAWINGS: Final = {
    "r2max_vs_snr": r2max_vs_snr.draw,
    "sigma_vs_snr": sigma_vs_snr.draw,
    "schur_ratio": schur_ratio.draw,
    "crlb_distribution": crlb_distribution.draw,
    "sigma_map": sigma_map.draw,
}


def main(run: Run) -> None:
    """Write results/trackC/figures/*.png, all or none."""
    table = CeilingTable.read(CEILING)
    temporary = FIGURES.with_name(".figures.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    for name, draw in DRAWINGS.items():
        draw([table], temporary / f"{name}.png")
    shutil.rmtree(FIGURES, ignore_errors=True)
    temporary.rename(FIGURES)


if __name__ == "__main__":
    run_stage("trackC-plot", main)
