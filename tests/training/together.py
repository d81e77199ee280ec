"""Trainings by several processes: a module, so that torchrun can run it."""

import sys
from dataclasses import replace
from pathlib import Path

import torch

from repro.training import parallel
from repro.training.loop import train
from repro.training.recipe import Recipe
from tests.training.learnable import PIXELS, Halting, dropping, source, validation

SPECTRA = 101  # of batches of 25: the last one has fewer spectra than there are processes
RECIPE = Recipe(epochs=3, batch=25, learning_rate=1e-2, clip=0.5, average=0.7, select="mae")


def plain():
    """A network that draws nothing, with a parameter that nothing depends on."""
    torch.manual_seed(4)
    network = torch.nn.Sequential(
        torch.nn.Linear(PIXELS, 8), torch.nn.GELU(), torch.nn.Linear(8, 1), torch.nn.Flatten(0)
    )
    network.register_parameter("unused", torch.nn.Parameter(torch.ones(3)))
    return network


def trained(network, recipe=RECIPE, spectra=SPECTRA, **others):
    """Its states by name, and its history."""
    spectra, y = source(spectra)
    found = train(network, spectra, y - 3.0, validation(50), recipe, seed=1, **others)
    return {"weights": found.weights, "history": found.history}


def main(folder):
    """Leave what three trainings came to: a plain one, one with dropout, and that one interrupted and resumed."""
    recipe = replace(RECIPE, average=0.0)
    halted = {"recipe": recipe, "spectra": 100, "every": 0.0, "checkpoint": folder / "checkpoint.npz"}
    reports = []
    content = {"plain": trained(plain(), report=lambda done, total: reports.append((done, total)))}
    content["whole"] = trained(Halting(dropping(), 1000), recipe, 100)
    try:
        trained(Halting(dropping(), 7), **halted)
    except KeyboardInterrupt:
        parallel.wait()
    network = Halting(dropping(), 1000)
    content["resumed"] = trained(network, **halted)
    content["updates"] = 1000 - network.left
    content["reports"] = reports
    torch.save(content, folder / f"process{parallel.process()}.pt")


if __name__ == "__main__":
    torch.set_num_threads(1)
    with parallel.together():
        main(Path(sys.argv[1]))
