"""Joules that the GPU in use has drawn, from its own counter; for provenance."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

_Counter = Callable[[], int]  # millijoules since the driver was loaded


class Energy:
    """Energy from its creation on, of the GPU that is current in torch and of nothing else of the machine.

    `nvidia-ml-py` reads it; the counter is NVIDIA's (Volta and later), of the whole GPU whoever uses it.
    """

    def __init__(self) -> None:
        self._counter = _counter()
        self._before = self._counter() if self._counter is not None else 0

    def joules(self) -> float | None:
        """Joules so far; None where there is no GPU, no counter or no `nvidia-ml-py`."""
        return None if self._counter is None else (self._counter() - self._before) / 1000.0


def _counter() -> _Counter | None:
    import torch

    if not torch.cuda.is_available():
        return None
    try:
        pynvml: Any = import_module("pynvml")  # of nvidia-ml-py, which machines without a GPU have no need of
    except ImportError:
        return None
    try:
        pynvml.nvmlInit()
        # by its name: torch numbers the visible devices, the driver all
        handle = pynvml.nvmlDeviceGetHandleByUUID(f"GPU-{torch.cuda.get_device_properties('cuda').uuid}")
        pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)
    except pynvml.NVMLError:
        return None
    return lambda: int(pynvml.nvmlDeviceGetTotalEnergyConsumption(handle))
