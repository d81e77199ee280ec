"""Several processes that train one network, one GPU each: `torchrun --nproc_per_node=2 -m repro.stages.trackA_train`.

Every process goes through the same program. In `train` each takes its share of every batch, gradients are averaged by
one all-reduce over all weights (19 MB for the published network), and all make the same update. The first process
judges and writes; without torchrun there is that one alone and everything here does nothing.

Not `DistributedDataParallel`: of a network this small there is little to overlap, and this way a compiled network, one
with weights that nothing depends on and a last batch of uneven shares need no special case.

A process that fails ends, which breaks its connections, and the others fail where they wait for it: at once where they
wait for the first to make or write something (over gloo, hours if need be), after minutes amid a training (over NCCL,
which does not notice).
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Final, TypeVar

import torch
from torch import Tensor, distributed, nn

_UPDATE: Final = timedelta(minutes=10)  # that processes may be apart amid a training
_PATIENCE: Final = timedelta(hours=6)  # that the others wait while the first makes or writes something

_patient: distributed.ProcessGroup | None = None  # all processes, with patience

_Value = TypeVar("_Value")


@contextmanager
def together() -> Iterator[None]:
    """Join the processes that torchrun started, each with a GPU of its own as device `cuda` where there are GPUs."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1 or distributed.is_initialized():
        yield
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    global _patient
    distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo", timeout=_UPDATE)
    _patient = distributed.new_group(backend="gloo", timeout=_PATIENCE)
    yield  # no `finally`: after a failure, what is under way with the others never ends
    _patient = None
    distributed.destroy_process_group()


def processes() -> int:
    """Number of processes."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def process() -> int:
    """Number of this one, from 0."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def main_process() -> bool:
    """Whether this is the process that writes files and reports."""
    return process() == 0


def wait() -> None:
    """Go on when all processes have come here."""
    if distributed.is_initialized():
        distributed.barrier(_patient)


def same(value: _Value) -> _Value:
    """The main process's value, in every process."""
    if not distributed.is_initialized():
        return value
    carried = [value]
    distributed.broadcast_object_list(carried, group=_patient)
    return carried[0]


def summed(values: Tensor) -> Tensor:
    """Sum over the processes."""
    if distributed.is_initialized():
        distributed.all_reduce(values)
    return values


def align(network: nn.Module, *, weights: bool = True) -> None:
    """Give every process the main one's buffers, and weights."""
    if not distributed.is_initialized():
        return
    for values in [*network.buffers(), *(network.parameters() if weights else ())]:
        distributed.broadcast(values.data, 0)


def share(rows: Tensor) -> Tensor:
    """This process's part of a batch (b,); all of it where there are fewer spectra than processes."""
    count = processes()
    return rows if count == 1 or len(rows) < count else rows.tensor_split(count)[process()]


def average_gradients(network: nn.Module) -> None:
    """Put the mean over the processes in place of each gradient."""
    if not distributed.is_initialized():
        return
    gradients = [weights.grad for weights in network.parameters() if weights.grad is not None]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    distributed.all_reduce(flat)
    flat /= processes()
    for gradient, mean in zip(gradients, flat.split([gradient.numel() for gradient in gradients]), strict=True):
        gradient.copy_(mean.view_as(gradient))
