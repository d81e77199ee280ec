"""The same blocks of work past one machine: an executor on the workers of a Dask cluster.

A block is a pure function of its arguments, so which worker computes it, and how often, changes nothing: when a worker
dies the others take over its blocks, and the output is that of a local run.
"""

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final

import repro
from repro.errors import EnvironmentProblem

ADDRESS: Final = "REPRO_CLUSTER"  # environment variable by which `repro run --cluster` tells the stages
CONNECT_SECONDS: Final = 30
_RETRIES: Final = 3  # of a block that failed by an error


@contextmanager
def cluster_executor(address: str, patience: float = CONNECT_SECONDS) -> Iterator[Executor]:
    """Yield an executor whose blocks run on the workers of a cluster.

    Args:
        address: of the scheduler, as `tcp://host:8786`, or the path of a scheduler file (as `dask scheduler
            --scheduler-file` and dask-jobqueue write it). Workers are started with one thread each.
        patience: how long the scheduler may take to answer, and a first worker to appear [s].

    Raises:
        EnvironmentProblem: `distributed` is not installed, the scheduler does not answer, or it has no workers.
    """
    try:
        from distributed import Client
    except ImportError:
        raise EnvironmentProblem(
            "a cluster needs the package distributed: pip install 'stellar-repro[cluster]'"
        ) from None
    try:
        client = Client(**_place(address), timeout=patience, set_as_default=False)
    except (OSError, ValueError) as error:
        raise EnvironmentProblem(f"cluster {address}: the scheduler does not answer ({error})") from None
    with client:
        try:
            client.wait_for_workers(1, timeout=patience)
        except TimeoutError:
            raise EnvironmentProblem(f"cluster {address}: no worker within {patience:g} s; start some") from None
        yield _SameCode(client.get_executor(pure=False, retries=_RETRIES))


class _SameCode(Executor):
    """Hands blocks on, with the hash of the kit's code here, which the worker compares with its own."""

    def __init__(self, cluster: Executor) -> None:
        self._cluster = cluster

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        return self._cluster.submit(_checked, _code(), function, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._cluster.shutdown(wait=wait, cancel_futures=cancel_futures)


def _checked(code: str, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    if _code() != code:
        raise EnvironmentProblem(
            f"a worker of the cluster runs other code ({repro.__file__}) than this process: install the same revision "
            "of the kit there and start its workers again"
        )
    return function(*args, **kwargs)


@cache
def _code() -> str:
    """SHA-256 of all modules of the kit, as this process found them."""
    root = Path(repro.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(f"{path.relative_to(root).as_posix()}\n".encode() + path.read_bytes())
    return digest.hexdigest()


def _place(address: str) -> dict[str, Any]:
    if "://" in address:
        return {"address": address}
    if not Path(address).is_file():
        raise EnvironmentProblem(
            f"cluster {address}: neither an address like tcp://host:8786 nor a scheduler file that exists"
        )
    return {"scheduler_file": address}
