"""Where blocks of nodes and spectra are computed; the results are the same everywhere."""

import os
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager

from repro.spectra.build import local_pool
from repro.spectra.cluster import ADDRESS, cluster_executor


@contextmanager
def cluster() -> Iterator[Executor | None]:
    """The cluster that `repro run --cluster` names, or None."""
    if address := os.environ.get(ADDRESS):
        with cluster_executor(address) as executor:
            yield executor
    else:
        yield None


@contextmanager
def cluster_or_cores(device: str) -> Iterator[Executor | None]:
    """The cluster, else one process a core, or None: in this process, beside the GPU."""
    with cluster() as executor:
        if executor is not None:
            yield executor
            return
        with local_pool(1 if device == "cuda" else os.cpu_count() or 1) as pool:
            yield pool
