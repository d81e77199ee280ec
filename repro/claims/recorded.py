"""Evidence of large runs, kept in tracks/*/recorded with hashes and judged from its per-node or per-star files."""

import json
import math
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NamedTuple

from repro.claims.evidence import Evidence, parse_evidence, read_evidence, read_json
from repro.errors import ClaimError
from repro.files import atomic_path, md5, sha256

SCHEMA = 1
MANIFEST: Final = "manifest.json"
NOTHING_RECORDED: Final = "nothing was recorded: `repro record {track}` keeps a run at scale lab or paper"
_ROUNDING: Final = 1e-9  # numpy versions sum in another order
_PRINTED: Final = 1e-6  # of a resample, kept with six digits


class Numbers(NamedTuple):
    """A value made again: of each run (one in all where seeds do not enter), and its bootstrap error, nan without."""

    runs: tuple[float, ...]
    error: float


def record(root: Path, track: str) -> dict[str, int]:
    """Copy evidence, the result files it rests on, and provenance into tracks/<track>/recorded.

    Returns:
        Path (relative to `root`) -> size in bytes of every file written.

    Raises:
        ClaimError: no evidence, stale evidence, evidence at scale ci, or a result file that is not the one the
            evidence was computed from.
    """
    evidence = read_evidence(root, track)
    results = root / "results" / track
    if evidence is None:
        raise ClaimError(f"results/{track}/evidence.json: no such file; dvc repro {track} writes it")
    if evidence.stale:
        raise ClaimError(f"stale evidence: {evidence.stale}; dvc repro {track} renews it")
    if evidence.scale == "ci":
        raise ClaimError(
            f"{evidence.file}: scale is ci, and git holds it already; record keeps runs at scale lab or paper"
        )
    files = [results / "evidence.json"]
    for dependency, digest in evidence.dependencies.items():
        path = root / dependency
        if results not in path.parents:
            continue
        if not path.exists() or md5(path) != digest:
            raise ClaimError(f"{dependency}: absent or not the file the evidence came from; dvc checkout restores it")
        files.append(path)
    provenance = results / "provenance.json"
    files += [provenance] if provenance.exists() else []
    return _copy(root, track, files)


def _copy(root: Path, track: str, files: list[Path]) -> dict[str, int]:
    """The manifest is written last: without it, or with another, a half-made copy is refused."""
    folder = root / "tracks" / track / "recorded"
    (folder / MANIFEST).unlink(missing_ok=True)
    written = {}
    for source in files:
        with atomic_path(folder / source.name) as temporary:
            shutil.copyfile(source, temporary)
        written[source.name] = sha256(folder / source.name)
    with atomic_path(folder / MANIFEST) as temporary:
        temporary.write_text(json.dumps({"schema": SCHEMA, "track": track, "files": written}, indent=1) + "\n")
    paths = [folder / name for name in (*written, MANIFEST)]
    return {str(path.relative_to(root)): path.stat().st_size for path in paths}


def read_recorded(root: Path, track: str) -> Evidence | None:
    """Recorded evidence with every value recomputed that its stored files give; None if nothing was recorded.

    Raises:
        ClaimError: a file is missing or is not the one in the manifest, or a recorded value is not what its stored
            files give.
    """
    folder = root / "tracks" / track / "recorded"
    if not folder.exists():
        return None
    shown = str(folder.relative_to(root))
    files = _manifest(folder, track, shown)
    for name, digest in files.items():
        path = folder / name
        if not path.exists():
            raise ClaimError(f"{shown}/{name}: no such file, but {MANIFEST} lists it")
        if sha256(path) != digest:
            raise ClaimError(f"{shown}/{name}: is not the recorded file (its hash differs from {MANIFEST})")
    evidence_file = f"{shown}/evidence.json"
    evidence = parse_evidence(read_json(folder / "evidence.json", evidence_file), track, evidence_file)
    for name, recompute in _RECOMPUTE.items():
        if name in files:
            evidence = _recomputed(evidence, recompute(folder / name), name)
    return evidence


def _manifest(folder: Path, track: str, shown: str) -> Mapping[str, str]:
    data = read_json(folder / MANIFEST, f"{shown}/{MANIFEST}")
    files = data.get("files") if isinstance(data, dict) and data.get("track") == track else None
    if not isinstance(files, dict) or "evidence.json" not in files:
        raise ClaimError(f"{shown}/{MANIFEST}: is no manifest of {track}; `repro record {track}` writes one")
    return files


def _recomputed(evidence: Evidence, computed: Mapping[str, Numbers], name: str) -> Evidence:
    values = dict(evidence.values)
    for address, found in computed.items():
        value = values.get(address)
        if value is None or value.estimate is None:
            continue
        own = value.estimate
        if len(own.values) != len(found.runs):
            raise ClaimError(
                f"{evidence.file}: {address} is recorded with {len(own.values)} runs, "
                f"but {name} beside it gives {len(found.runs)}"
            )
        for recorded, number in zip(own.values, found.runs, strict=True):
            _agree(evidence, address, recorded, number, _ROUNDING * max(abs(number), 1.0), name)
        if math.isfinite(found.error):
            off = _ROUNDING + _PRINTED * (max(map(abs, found.runs)) + 5.0 * found.error)
            _agree(evidence, f"the bootstrap error of {address}", own.bootstrap, found.error, off, name)
        values[address] = replace(value, estimate=replace(own, values=found.runs))
    return replace(evidence, values=values)


def _agree(evidence: Evidence, what: str, recorded: float, number: float, off: float, name: str) -> None:
    if not abs(recorded - number) <= off:  # nan agrees with nothing
        raise ClaimError(
            f"{evidence.file}: {what} is recorded as {recorded:.8g}, but {name} beside it gives {number:.8g}"
        )


def _ceilings(path: Path) -> Mapping[str, Numbers]:
    from repro.bounds.table import CeilingTable  # numpy and h5py, wanted by this command alone
    from repro.scores.ceilings import summarise

    return _plain(summarise(CeilingTable.read(path)))


def _derivatives(path: Path) -> Mapping[str, Numbers]:
    from repro.bounds.table import DerivativeComparison
    from repro.scores.ceilings import summarise_derivatives

    comparison = DerivativeComparison.read(path)
    return _plain(summarise_derivatives(comparison, f"{len(comparison.free)}D"))


def _track_a(path: Path) -> Mapping[str, Numbers]:
    from repro.scores.track_a import Tables, families

    return _gathered(families(Tables.read(path.parent)))


def _track_c(path: Path) -> Mapping[str, Numbers]:
    from repro.scores.track_c import Tables, families

    return _gathered(families(Tables.read(path.parent)))


def _gathered(found: Iterable[tuple[Any, Mapping[str, Any], Any]]) -> dict[str, Numbers]:
    """Of families of values."""
    return {address: number for _, measured, _ in found for address, number in _plain(measured).items()}


def _plain(measured: Mapping[str, Any]) -> dict[str, Numbers]:
    """Of numbers, and of those with resamples and runs (`scores.bootstrap.Scored`)."""
    return {
        address: Numbers((float(value),), math.nan)
        if isinstance(value, int | float)
        else Numbers(tuple(map(float, value.runs)) or (float(value.value),), value.error)
        for address, value in measured.items()
    }


# file -> the values that it gives, with those beside it that it belongs to
_RECOMPUTE: Final[dict[str, Callable[[Path], Mapping[str, Numbers]]]] = {
    "ceiling_3d.h5": _ceilings,
    "ceiling_5d.h5": _ceilings,
    "autodiff.h5": _derivatives,
    "predictions.h5": _track_c,
    "vit.h5": _track_a,
}
