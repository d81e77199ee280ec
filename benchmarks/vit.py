"""Transformers beside PyTorch's own encoder of the same size, and beside themselves compiled, in the same run.

    python -m benchmarks.vit [spectra of a batch] [--compile]

Rows: the published shape and the same network put together from `torch.nn.TransformerEncoder` (same tokens, weights
and dropout; every token through the last layer), then the fast variant, the stand-in and the Swin transformer. Columns:
estimates and updates (forward, backward, clipping, fused AdamW) a second, and for updates the share of the arithmetic
that the device does in one large matrix product in this run, and of its stated peak where that is known (MFU).
Operations are those of `models.vit.flops`. On a GPU products are in bfloat16 and every network is also compiled; on a
processor (float32) only with `--compile`, since that takes minutes there, and times are those of the processor, on one
thread: machines that others work on spoil those less. Each is done in turns, the fastest counts.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import torch
from torch import Tensor, nn

from repro.models.swin import MATCHED, SwinNetwork
from repro.models.vit import FAST, PUBLISHED, SMALL, Shape, VitNetwork, flops

PIXELS = 4096
TURNS = 3
PEAKS = {"H200": 989e12, "H100": 989e12, "A100": 312e12}  # of dense products in bfloat16, by their makers


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


def main() -> None:
    """Print rates, their ratios and shares of the arithmetic of the device."""
    options = argparse.ArgumentParser()
    options.add_argument("batch", nargs="?", type=int)
    options.add_argument("--compile", action="store_true")
    chosen = options.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if device.type == "cpu":
        torch.set_num_threads(1)
    batch = chosen.batch or (1024 if device.type == "cuda" else 8)
    torch.manual_seed(0)
    networks: dict[str, tuple[nn.Module, int]] = {
        "published": (VitNetwork(PUBLISHED, PIXELS), flops(PUBLISHED, PIXELS)),
        "nn.TransformerEncoder": (Peer(PUBLISHED), flops(PUBLISHED, PIXELS)),
        "fast": (VitNetwork(FAST, PIXELS), flops(FAST, PIXELS)),
        "stand-in": (VitNetwork(SMALL, PIXELS), flops(SMALL, PIXELS)),
        "swin": (SwinNetwork(MATCHED, PIXELS), 0),
    }
    ways: dict[str, tuple[Callable[[Tensor], Tensor], nn.Module, int]] = {}
    for name, (network, count) in networks.items():
        ways[name] = network.to(device), network, count
        if chosen.compile or device.type == "cuda":
            ways[f"{name}, compiled"] = torch.compile(network), network, count
    flux = 0.5 + 0.1 * torch.randn(batch, PIXELS, device=device)
    label = torch.randn(batch, device=device)
    most = _product(device)
    seen, learnt = dict.fromkeys(ways, 0.0), dict.fromkeys(ways, 0.0)
    steps = {name: _update(called, network, flux, label) for name, (called, network, _) in ways.items()}
    for turn in range(TURNS + 1):
        for name, (called, network, _) in ways.items():
            network.eval()
            rate = _rate(partial(_estimate, called, flux), flux)
            network.train()
            rates = rate, _rate(steps[name], flux)
            if turn:  # the first is for compiling and warming
                seen[name], learnt[name] = max(seen[name], rates[0]), max(learnt[name], rates[1])
    print(f"{_named(device)}, batches of {batch}, large products {most / 1e12:.3g} TFLOP/s; spectra a second:")
    for name, (_, _, count) in ways.items():
        share = f", {learnt[name] * count / most:6.1%} of large products{_mfu(device, learnt[name] * count)}"
        print(f"  {name:32s} {seen[name]:10.1f} estimated {learnt[name]:10.1f} trained on{share if count else ''}")
    peer = "nn.TransformerEncoder"
    ratios = seen["published"] / seen[peer], learnt["published"] / learnt[peer]
    print(f"  published / {peer}: {ratios[0]:.2f} estimates, {ratios[1]:.2f} updates (target 1)")
    for name in ways:
        if f"{name}, compiled" in ways:
            print(f"  {name}, compiled / eager: {learnt[name + ', compiled'] / learnt[name]:.2f} updates")


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


@contextmanager
def _products(device: torch.device) -> Iterator[None]:
    with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
        yield


def _rate(work: Callable[[], object], flux: Tensor) -> float:
    """Spectra a second."""
    return len(flux) / _seconds(work, flux.device)


def _seconds(work: Callable[[], object], device: torch.device) -> float:
    if device.type == "cpu":
        started = time.process_time()
        work()
        return time.process_time() - started
    torch.cuda.synchronize()
    started = time.perf_counter()
    for _ in range(5):
        work()
    torch.cuda.synchronize()
    return (time.perf_counter() - started) / 5


def _product(device: torch.device) -> float:
    """Operations a second of one large product."""
    size, kind = (8192, torch.bfloat16) if device.type == "cuda" else (1024, torch.float32)
    a, b = (torch.randn(size, size, device=device, dtype=kind) for _ in range(2))
    taken = min(_seconds(lambda: torch.mm(a, b), device) for _ in range(5))
    return float(2 * size**3 / taken)


def _named(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "processor, one thread"


def _mfu(device: torch.device, operations: float) -> str:
    for name, peak in PEAKS.items():
        if device.type == "cuda" and name in torch.cuda.get_device_name(device):
            return f", MFU {operations / peak:.1%}"
    return ""


if __name__ == "__main__":
    main()
