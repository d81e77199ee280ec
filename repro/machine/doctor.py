"""Checks of this machine: each finds one thing, judges it and says what to do."""

from __future__ import annotations

import errno
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final, Literal

import yaml

from repro.errors import ParameterError
from repro.params import Params, read_params

GIGABYTE: Final = 1e9
MEMORY_NEEDED: Final = 4 * GIGABYTE  # every stage at scale `ci` stays below
TESTED_PYTHONS: Final = ((3, 11), (3, 13))
N_PIXELS: Final = 4096
WRITTEN_FOLDERS: Final = ("data", "results", ".dvc/tmp")


@dataclass(frozen=True)
class Check:
    """One line of the report: what was looked at, `ok` / `warn` / `fail`, what was found, and what to do about it."""

    name: str
    level: Literal["ok", "warn", "fail"]
    found: str
    advice: str = ""


def examine(root: Path) -> Iterator[Check]:
    """All checks of the working tree at `root`, in the order of the report."""
    yield check_python(sys.version_info[:3])
    yield check_packages(root / "requirements")
    yield check_torch()
    yield check_memory(memory_limit())
    yield check_git(root)
    yield from check_dvc(root)
    yield check_lock(root / "dvc.lock")
    yield check_disk(root)
    yield check_writable(root)


def check_python(found: tuple[int, int, int]) -> Check:
    """Whether the interpreter is one that the lock files are made for."""
    text = f"{'.'.join(map(str, found))} at {sys.executable}"
    if found[:2] < TESTED_PYTHONS[0]:
        return Check("Python", "fail", text, "install Python 3.11 or newer, remove .venv and run `make env`")
    if found[:2] > TESTED_PYTHONS[1]:
        return Check("Python", "warn", text, "the lock files are made for Python 3.11 to 3.13")
    return Check("Python", "ok", text)


def check_packages(folder: Path) -> Check:
    """Installed packages against base.lock and the torch lock file of the installed build."""
    wanted = dict(pins((folder / "base.lock").read_text(encoding="utf-8")))
    torch = installed("torch") or ""
    wanted |= pins((folder / f"torch{'-cpu' if '+cpu' in torch else ''}.lock").read_text(encoding="utf-8"))
    found = {name: installed(name) for name in wanted}
    missing = [name for name in wanted if found[name] is None]
    other = [f"{name} {found[name]} (locked: {wanted[name]})" for name in wanted if found[name] != wanted[name]]
    other = [text for text in other if text.split()[0] not in missing]
    if missing:
        return Check("packages", "fail", f"missing: {_few(missing)}", "run `make env`")
    if other:
        return Check("packages", "warn", f"not as locked: {_few(other)}", "run `rm .venv/repro-locks && make env`")
    return Check("packages", "ok", f"all {len(wanted)} as locked")


def pins(lock: str) -> dict[str, str]:
    """name -> version of the entries of a lock file that apply to this interpreter."""
    from packaging.requirements import Requirement

    entries = (Requirement(line.rstrip(" \\")) for line in re.findall(r"^[A-Za-z].*$", lock, flags=re.MULTILINE))
    return {
        entry.name: str(entry.specifier).removeprefix("==")
        for entry in entries
        if entry.marker is None or entry.marker.evaluate()
    }


def installed(package: str) -> str | None:
    """Version of an installed package, or None."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def check_torch() -> Check:
    """Torch's build, the device it computes on, and the driver under it."""
    try:
        import torch
    except ImportError as error:
        return Check("torch", "fail", f"cannot be imported: {error}", "run `rm .venv/repro-locks && make env`")
    build = f"{torch.__version__}, {torch.get_num_threads()} threads"
    driver = nvidia_driver()
    if torch.cuda.is_available():
        gpu = torch.cuda.get_device_properties(0)
        memory = f"{gpu.total_memory / GIGABYTE:.0f} GB"
        return Check("torch", "ok", f"{build}; {gpu.name}, {memory}, driver {driver}, CUDA {torch.version.cuda}")
    if driver is None:
        return Check("torch", "ok", f"{build}; no NVIDIA GPU, computes on the CPU")
    if torch.version.cuda is None:
        advice = "to use the GPU: `REPRO_TORCH=torch make env`"
        return Check("torch", "warn", f"{build}; the CPU build, but there is a GPU (driver {driver})", advice)
    advice = f"install a driver that supports CUDA {torch.version.cuda}; until then the CPU computes"
    return Check("torch", "warn", f"{build}; the GPU is not usable (driver {driver})", advice)


def nvidia_driver() -> str | None:
    """Version of the NVIDIA driver, or None where there is no NVIDIA GPU."""
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20)
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.split("\n")[0].strip() or None


def memory_limit() -> float:
    """Memory that this process may use: the machine's, or the container's limit where that is lower [bytes]."""
    limits = [float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))]
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            limits.append(float(Path(path).read_text(encoding="utf-8")))
        except (OSError, ValueError):  # not this kind of container; "max" is no limit
            continue
    return min(limits)


def check_memory(limit: float) -> Check:
    """Whether `limit` [bytes] is enough for every stage at scale `ci`."""
    found = f"{limit / GIGABYTE:.1f} GB, {os.cpu_count()} cores"
    if limit < MEMORY_NEEDED:
        return Check("memory", "warn", found, f"a stage may need {MEMORY_NEEDED / GIGABYTE:.0f} GB")
    return Check("memory", "ok", found)


def check_git(root: Path) -> Check:
    """Whether `dvc exp run` can work here: a repository with a commit, owned by this user."""
    try:
        answer = subprocess.run(
            ["git", "describe", "--always", "--dirty"], cwd=root, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        return Check("git", "fail", "not installed", "install git (Debian: `apt-get install git`)")
    if answer.returncode == 0:
        return Check("git", "ok", f"revision {answer.stdout.strip()}")
    error = answer.stderr.strip().partition("\n")[0]
    if "dubious ownership" in error:
        return Check("git", "fail", error, f"run `git config --global --add safe.directory {root}`")
    return Check("git", "fail", error, "DVC needs a commit: `git init && git add -A && git commit -m start`")


def check_dvc(root: Path) -> Iterator[Check]:
    """DVC's version, its cache and links, and whether it stays offline."""
    from dvc.exceptions import DvcException
    from dvc.repo import Repo
    from dvc_objects.fs.generic import test_links
    from scmrepo.exceptions import SCMError

    try:
        repo = Repo(str(root))
    except (DvcException, SCMError) as error:
        yield Check("DVC", "fail", str(error), "run this at the top of a clone of the kit")
        return
    with repo:
        cache = repo.cache.local
        wanted = cache.cache_types
        possible = [
            *test_links(["reflink", "hardlink", "symlink"], cache.fs, cache.path, repo.fs, repo.root_dir),
            "copy",
        ]
        chosen = next((link for link in wanted if link in possible), None)
        found = f"{version('dvc')}, cache {cache.path}, links: {chosen or 'none of ' + ', '.join(wanted)}"
        if chosen is None:
            advice = "run `dvc config --local cache.type reflink,hardlink,symlink,copy`"
            yield Check("DVC", "fail", f"{found} (possible: {', '.join(possible)})", advice)
        elif chosen == "copy":
            advice = "outputs take twice their size; put cache and workspace on one file system"
            yield Check("DVC", "warn", found, advice)
        else:
            yield Check("DVC", "ok", found)
        yield check_offline(repo.config["core"])


def check_lock(path: Path) -> Check:
    """Whether dvc.lock is whole: DVC writes it in place, so a kill at that moment leaves a part, and DVC then stops."""
    if not path.exists():
        return Check("dvc.lock", "ok", "absent: nothing has run yet")
    try:
        stages = yaml.safe_load(path.read_text(encoding="utf-8"))["stages"]
        cut = [name for name, entry in stages.items() if "cmd" not in entry]
    except (yaml.YAMLError, TypeError, KeyError, AttributeError) as error:
        cut = [str(error)]
    if cut:
        advice = "run `git checkout dvc.lock`, or delete it, and then `dvc repro`"
        return Check("dvc.lock", "fail", f"cut short at {cut[0]}: DVC was killed while writing it", advice)
    return Check("dvc.lock", "ok", f"records {len(stages)} stages")


def check_offline(core: dict[str, object]) -> Check:
    """Whether DVC's section `core` forbids telemetry and the daily look for updates."""
    on = [name for name in ("analytics", "check_update") if core.get(name, True)]
    if not on:
        return Check("offline", "ok", "DVC's telemetry and update check are off; the pipeline needs no network")
    commands = " && ".join(f"dvc config core.{name} false" for name in on)
    return Check("offline", "warn", f"DVC may call home: {', '.join(on)} on", f"run `{commands}`")


def check_disk(root: Path) -> Check:
    """Free disk under `root` against what the present scale writes."""
    try:
        params = read_params(root / "params.yaml")
    except ParameterError as error:
        return Check("disk", "fail", str(error), "correct params.yaml")
    free, need = shutil.disk_usage(root).free, disk_needed(params)
    found = f"{free / GIGABYTE:.1f} GB free, scale `{params.scale}` needs about {need / GIGABYTE:.1f} GB"
    if free < need:
        return Check("disk", "fail", found, "free some space, or choose a smaller scale in params.yaml")
    return Check("disk", "ok", found)


def disk_needed(params: Params) -> float:
    """Bytes that a run writes: node grids and spectrum sets in float32 twice (data, temporary file), 0.5 GB around."""
    size, nodes = params.size, params.nodes
    n_nodes = len(nodes.T_eff) * len(nodes.log_g) * len(nodes.M_H)
    n_nodes += len(size.T_eff) * len(nodes.log_g) * len(size.M_H) * len(size.a_M) * len(size.C_M)
    n_spectra = size.train + size.val + size.test
    return 2.0 * 4 * N_PIXELS * (n_nodes + 2 * n_spectra) + 0.5 * GIGABYTE  # a spectrum is flux and error


def check_writable(root: Path) -> Check:
    """Whether the folders that stages write to can be written."""
    refused = []
    for name in WRITTEN_FOLDERS:
        try:
            (root / name).mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=root / name) as handle:
                handle.write(b"x")
        except OSError as error:
            refused.append(f"{name} ({errno.errorcode.get(error.errno or 0, '')}: {error.strerror})")
    if refused:
        return Check("write", "fail", f"cannot write to {', '.join(refused)}", "make these folders of your own")
    return Check("write", "ok", ", ".join(WRITTEN_FOLDERS))


def _few(items: Iterable[str], most: int = 4) -> str:
    items = list(items)
    return ", ".join(items[:most]) + (f" and {len(items) - most} more" if len(items) > most else "")
