"""Energy of a GPU, from a counter that is made up here; and its absence."""

import sys
from types import SimpleNamespace

import pytest
import torch

from repro.machine.energy import Energy


class _Missing(Exception):
    pass


@pytest.fixture
def gpu(monkeypatch):
    """A GPU whose counter stands at 5 J; it can be told to have none."""
    state = SimpleNamespace(millijoules=5000, counts=True, asked=[])

    def total(_handle):
        if not state.counts:
            raise _Missing
        return state.millijoules

    library = SimpleNamespace(
        NVMLError=_Missing,
        nvmlInit=lambda: None,
        nvmlDeviceGetHandleByUUID=state.asked.append,
        nvmlDeviceGetTotalEnergyConsumption=total,
    )
    monkeypatch.setitem(sys.modules, "pynvml", library)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _device: SimpleNamespace(uuid="12ab"))
    return state


def test_energy_is_the_difference_of_two_readings(gpu):
    energy = Energy()
    gpu.millijoules = 7250
    assert energy.joules() == 2.25
    assert gpu.asked == ["GPU-12ab"]


def test_where_it_is_not_measured_there_is_none(gpu, monkeypatch):
    gpu.counts = False
    assert Energy().joules() is None
    gpu.counts = True
    monkeypatch.setitem(sys.modules, "pynvml", None)  # as if it were not installed
    assert Energy().joules() is None
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert Energy().joules() is None
