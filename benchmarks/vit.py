"""Transformers beside PyTorch's own encoder of the same size, compiled, and in the training loop itself, in one run.

    python -m benchmarks.vit [spectra of a batch] [--compile]

First part: the published shape and the same network put together from `torch.nn.TransformerEncoder` (same tokens,
weights and dropout; every token through the last layer), then the fast variant, the stand-in and the Swin transformer.
Columns: estimates and updates (forward, backward, clipping, fused AdamW) a second, and for updates the share of the
arithmetic that the device does in one large matrix product in this run, and of its stated peak where that is known
(MFU). Operations are those of `models.vit.flops`. Each is done in turns, the fastest counts.

Second part: `training.loop.train` by the published recipe and by the fast one, with noise drawn anew for every
spectrum, validation, average of weights and all else that a training does: what a run at scale paper goes at. Batches
are those of the recipes on a GPU, where the first, in which it compiles, is not counted; on a processor at most CAP.

On a GPU products are in bfloat16 and every network is also compiled, by each of MODES; on a processor (float32) only
with `--compile`, since that takes minutes there, and times are those of the processor, on one thread: machines that
others work on spoil those less. Memory is the most that was allocated on a GPU in a row, with its weights and spectra;
on a processor the peak of the whole process so far, which no later row lowers.
"""

import argparse
import gc
import resource
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Final, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from repro.models.swin import MATCHED, SwinNetwork
from repro.models.vit import FAST, PUBLISHED, SMALL, Shape, VitNetwork, flops
from repro.training import recipe as recipes
from repro.training.loop import train
from repro.training.recipe import Recipe
from repro.training.spectra import NoisySpectra, Validation

PIXELS: Final = 4096
TURNS: Final = 2
MODES: Final = ("default", "reduce-overhead")
CAP: Final = 8  # spectra of a batch of the training loop on a processor
UPDATES: Final = {"cuda": 50, "cpu": 2}  # of the training loop
PEAKS: Final = {"H200": 989e12, "H100": 989e12, "A100": 312e12}  # of dense products in bfloat16, by their makers
PEER: Final = "nn.TransformerEncoder"


class Peer(nn.Module):
    """The published shape from PyTorch's parts."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.embed = VitNetwork(shape, PIXELS).embed
        layer = nn.TransformerEncoderLayer(
            shape.width,
            shape.heads,
            shape.ratio * shape.width,
            shape.dropout,
            activation="gelu",
            layer_norm_eps=1e-12,
            batch_first=True,
            norm_first=True,
        )
        norm = nn.LayerNorm(shape.width, 1e-12)
        self.encoder = nn.TransformerEncoder(layer, shape.depth, norm, enable_nested_tensor=False)
        self.head = nn.Linear(shape.width, 1)

    def forward(self, flux: Tensor) -> Tensor:
        result: Tensor = self.head(self.encoder(self.embed(flux))[:, 0])[:, 0]
        return result


class Row(NamedTuple):
    """Spectra a second that are estimated and trained on, and memory [GB]."""

    seen: float
    learnt: float
    memory: float


def main() -> None:
    """Print rates, their ratios, shares of the arithmetic of the device, and memory."""
    options = argparse.ArgumentParser()
    options.add_argument("batch", nargs="?", type=int)
    options.add_argument("--compile", action="store_true")
    chosen = options.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if device.type == "cpu":
        torch.set_num_threads(1)
    batch = chosen.batch or (1024 if device.type == "cuda" else 8)
    modes = MODES if device.type == "cuda" else MODES[:1] if chosen.compile else ()
    most = _product(device)
    print(f"{_named(device)}, batches of {batch}, large products {most / 1e12:.3g} TFLOP/s; spectra a second:")
    _networks(device, batch, modes, most)
    capped = f", batches of at most {CAP}" if device.type == "cpu" else ""
    print(f"training loop, fresh noise, {UPDATES[device.type]} updates{capped}:")
    for name, shape, recipe in (("published", PUBLISHED, recipes.FAITHFUL), ("fast", FAST, recipes.FAST)):
        for mode in MODES if device.type == "cuda" else MODES[:1]:
            _loop(name, shape, replace(recipe, compile=mode), device, most)


def _networks(device: torch.device, batch: int, modes: tuple[str, ...], most: float) -> None:
    makers: dict[str, tuple[Callable[[], nn.Module], int]] = {
        "published": (partial(VitNetwork, PUBLISHED, PIXELS), flops(PUBLISHED, PIXELS)),
        PEER: (partial(Peer, PUBLISHED), flops(PUBLISHED, PIXELS)),
        "fast": (partial(VitNetwork, FAST, PIXELS), flops(FAST, PIXELS)),
        "stand-in": (partial(VitNetwork, SMALL, PIXELS), flops(SMALL, PIXELS)),
        "swin": (partial(SwinNetwork, MATCHED, PIXELS), 0),
    }
    flux = 0.5 + 0.1 * torch.randn(batch, PIXELS, device=device)
    label = torch.randn(batch, device=device)
    found: dict[str, list[Row]] = {}
    for turn in range(TURNS if device.type == "cpu" else 1):  # those of a GPU repeat themselves, compiling takes long
        for name, (make, _) in makers.items():
            for mode in ("", *modes) if turn == 0 else ("",):
                row = _measured(make, mode, flux, label)
                found.setdefault(f"{name}, {mode}" if mode else name, []).append(row)
    best = {
        name: Row(max(r.seen for r in rows), max(r.learnt for r in rows), rows[0].memory)
        for name, rows in found.items()
    }
    for name, row in best.items():
        count = makers[name.split(",")[0]][1]
        share = _shares(device, row.learnt * count, most) if count else ""
        print(f"  {name:38s} {row.seen:10.1f} estimated {row.learnt:10.1f} trained on, {row.memory:6.2f} GB{share}")
    ratios = best["published"].seen / best[PEER].seen, best["published"].learnt / best[PEER].learnt
    print(f"  published / {PEER}: {ratios[0]:.2f} estimates, {ratios[1]:.2f} updates (target 1)")
    for name in makers:
        for mode in modes:
            print(f"  {name}, {mode} / eager: {best[f'{name}, {mode}'].learnt / best[name].learnt:.2f} updates")


def _measured(make: Callable[[], nn.Module], mode: str, flux: Tensor, label: Tensor) -> Row:
    """Rates of a network of its own, warmed; `mode` of torch.compile, "" without."""
    _cleared(flux.device)
    torch.manual_seed(0)
    network = make().to(flux.device)
    called = torch.compile(network, mode=mode, dynamic=False) if mode else network
    network.eval()
    seen = _rate(partial(_estimate, called, flux), flux)
    network.train()
    learnt = _rate(_update(called, network, flux, label), flux)
    return Row(seen, learnt, _memory(flux.device))


def _estimate(network: Callable[[Tensor], Tensor], flux: Tensor) -> None:
    with torch.inference_mode(), _products(flux.device):
        network(flux)


def _update(called: Callable[[Tensor], Tensor], network: nn.Module, flux: Tensor, label: Tensor) -> Callable[[], None]:
    trained = [weights for weights in network.parameters() if weights.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=3e-4, fused=True)

    def update() -> None:
        optimizer.zero_grad()
        with _products(flux.device):
            given = called(flux)
        ((given.float() - label) ** 2).mean().backward()
        nn.utils.clip_grad_norm_(trained, 0.5)
        optimizer.step()

    return update


def _loop(name: str, shape: Shape, recipe: Recipe, device: torch.device, most: float) -> None:
    """Print what the training loop of a recipe comes to, from the second epoch of so many updates on."""
    _cleared(device)
    batch = recipe.batch if device.type == "cuda" else min(recipe.batch, CAP)
    count, validated = UPDATES[device.type] * batch, min(batch, 64)
    generator = torch.Generator().manual_seed(0)
    flux = (0.5 + 0.1 * torch.randn(count, PIXELS, generator=generator)).to(device)
    label = torch.randn(count, generator=generator).numpy()
    source = NoisySpectra(flux, torch.full_like(flux, 0.05), 1.0, 0)
    torch.manual_seed(0)
    network = VitNetwork(shape, PIXELS).to(device)
    validation = Validation(flux[:validated].cpu().numpy(), label[:validated])
    clock: list[float] = []

    def watch() -> None:
        clock.append(_now(device))

    epochs = replace(recipe, epochs=3 if device.type == "cuda" else 2, batch=batch)
    train(network, source, np.asarray(label), validation, epochs, seed=0, watch=watch)
    rate = count / min(np.diff(clock))
    mode = f", {recipe.compile}" if recipe.fast_on(device) else ", eager"
    share = _shares(device, rate * flops(shape, PIXELS), most)
    print(
        f"  {name + mode:38s} {rate:10.1f} trained on, batch {batch} ({rate / batch:.2f} updates a second),"
        f" {_memory(device):6.2f} GB{share}"
    )


@contextmanager
def _products(device: torch.device) -> Iterator[None]:
    with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
        yield


def _rate(work: Callable[[], object], flux: Tensor) -> float:
    """Spectra a second, after a first time for compiling and warming (three where graphs are recorded)."""
    for _ in range(3 if flux.device.type == "cuda" else 1):
        work()
    return len(flux) / min(_seconds(work, flux.device) for _ in range(TURNS if flux.device.type == "cuda" else 1))


def _seconds(work: Callable[[], object], device: torch.device) -> float:
    times = 5 if device.type == "cuda" else 1
    started = _now(device)
    for _ in range(times):
        work()
    return (_now(device) - started) / times


def _now(device: torch.device) -> float:
    """A clock [s]: of a GPU that has done its work, or of the processor's own time."""
    if device.type == "cpu":
        return time.process_time()
    torch.cuda.synchronize(device)
    return time.perf_counter()


def _cleared(device: torch.device) -> None:
    """Forget compiled networks, of which PyTorch keeps few for one piece of code, and memory that was in use."""
    torch.compiler.reset()
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)


def _memory(device: torch.device) -> float:
    """Peak [GB]."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e9
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def _product(device: torch.device) -> float:
    """Operations a second of one large product."""
    size, kind = (8192, torch.bfloat16) if device.type == "cuda" else (1024, torch.float32)
    a, b = (torch.randn(size, size, device=device, dtype=kind) for _ in range(2))
    taken = min(_seconds(lambda: torch.mm(a, b), device) for _ in range(5))
    return float(2 * size**3 / taken)


def _named(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "processor, one thread"


def _shares(device: torch.device, operations: float, most: float) -> str:
    found = f", {operations / most:6.1%} of large products"
    for name, peak in PEAKS.items():
        if device.type == "cuda" and name in torch.cuda.get_device_name(device):
            return f"{found}, MFU {operations / peak:.1%}"
    return found


if __name__ == "__main__":
    main()
