"""Stage `trackA-attention`: where the main transformer looks, and what its estimates depend on."""

from pathlib import Path

from repro.bounds.stars import differentiator
from repro.errors import DataError
from repro.experiments.attention import Networks, attention_table, initial
from repro.experiments.data import Data
from repro.instrument.pixels import pixel_centres
from repro.models.vit import Vit, VitNetwork
from repro.progress import progress
from repro.spectra.nodes import NodeGrid
from repro.spectra.store import open_set
from repro.stages.paths import ATTENTION, MODELS_A, NODES_5D, SPECTRA, set_path
from repro.stages.runner import Run, run_stage
from repro.view.identifications import line_groups


def main(run: Run) -> None:
    """Write results/trackA/attention.h5."""
    params, vit = run.params, run.params.size.trackA
    n = vit.sizes[-1]
    path = main_network(MODELS_A, n)
    model = Vit.load(path, run.device)
    network = _network(model)
    second = other_run(path)
    another = _network(Vit.load(second, run.device)) if second.exists() else None
    data = Data(SPECTRA, params.seed, params.noise, run.device)
    with open_set(set_path("test")) as stars:
        mode = stars.mode
    wave = pixel_centres()
    with progress("attention") as report:
        attention_table(
            Networks(network, initial(network, params.seed), another),
            model.label,
            data,
            differentiator(NodeGrid.read(NODES_5D), mode),
            wave,
            line_groups(wave),
            most=vit.attention_stars,
            name=path.stem.removeprefix("main_").removesuffix(f"_n{n}_seed0"),
            conditions={"n_train": n},
            report=report,
        ).write(ATTENTION)


def main_network(folder: Path, n: int) -> Path:
    """File of the main network of n training spectra, run 0.

    Raises:
        DataError: there is none, or more than one.
    """
    found = sorted(folder.glob(f"main_*_n{n}_seed0.safetensors"))
    if len(found) != 1:
        raise DataError(
            f"{folder}: {len(found)} main networks of {n} spectra and run 0, where there must be one; run stage "
            "trackA-train again"
        )
    return found[0]


def other_run(path: Path) -> Path:
    """Where the same network would be that was trained in run 1."""
    return path.with_name(path.name.replace("_seed0.", "_seed1."))


def _network(model: Vit) -> VitNetwork:
    network = model.network.eval()
    assert isinstance(network, VitNetwork)
    return network


if __name__ == "__main__":
    run_stage("trackA-attention", main)
