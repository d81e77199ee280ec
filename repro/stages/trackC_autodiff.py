"""Stage `trackC-autodiff`: exact derivatives through the synthesizer, against the lattice's and against the step."""

from functools import partial
from itertools import chain
from typing import Final

from repro.bounds.autodiff import STARS_TOGETHER, compare_derivatives, exact_slopes, in_processes, sample_nodes
from repro.bounds.steps import lattice_steps, step_nodes, step_study, synthesized_slopes
from repro.instrument.noise import NoiseModel
from repro.progress import progress
from repro.spectra.nodes import NodeGrid
from repro.stages.conditions import fisher_conditions
from repro.stages.paths import AUTODIFF, NODES_3D, STEPS
from repro.stages.runner import Run, run_stage

MAGNITUDE: Final = 21.5  # its errors weight the comparison: the grid on which the published headline rests


def main(run: Run) -> None:
    """Write results/trackC/autodiff.h5 and steps.h5, with no node in them where the source has no derivatives."""
    grid = NodeGrid.read(NODES_3D)
    compare(run, grid)
    study_steps(run, grid)


def compare(run: Run, grid: NodeGrid) -> None:
    """Differences between lattice nodes against exact derivatives, at nodes all over the lattice."""
    params = run.params
    nodes = sample_nodes(grid.lattice.size, _wanted(run, params.size.autodiff_nodes), params.seed)
    labels = grid.lattice.labels[nodes]
    blocks = [labels[start : start + STARS_TOGETHER] for start in range(0, len(labels), STARS_TOGETHER)]
    make = partial(exact_slopes, run.device, params.nodes.microturbulence, grid.lattice.free)
    with progress("exact derivatives") as report, in_processes(make, blocks, run.device) as slopes:
        comparison = compare_derivatives(
            chain.from_iterable(slopes),
            grid,
            nodes,
            NoiseModel(params.spectra.noise_model),
            fisher_conditions(params, MAGNITUDE),
            progress=report,
        )
    comparison.write(AUTODIFF)


def study_steps(run: Run, grid: NodeGrid) -> None:
    """Central differences of ever smaller steps against exact derivatives, at a few inner nodes."""
    params = run.params
    nodes = step_nodes(grid.lattice, _wanted(run, params.size.step_nodes), params.seed)
    make = partial(synthesized_slopes, run.device, params.nodes.microturbulence, lattice_steps(grid.lattice))
    with (
        progress("step sizes") as report,
        in_processes(make, list(grid.lattice.labels[nodes]), run.device) as slopes,
    ):
        study = step_study(
            slopes,
            grid,
            nodes,
            NoiseModel(params.spectra.noise_model),
            fisher_conditions(params, MAGNITUDE),
            progress=report,
        )
    study.write(STEPS)


def _wanted(run: Run, nodes: int) -> int:
    """Exact derivatives exist for the embedded synthesizer alone."""
    return nodes if run.params.source == "lte" else 0


if __name__ == "__main__":
    run_stage("trackC-autodiff", main)
