"""`repro leaderboard`: models against noise and number of training spectra."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from repro.scores.board import Leaderboard, Principle
    from repro.scores.left_out import Missing
    from repro.view.leaderboard import View

FILE = "results/trackF/leaderboard.json"


@click.command()
@click.option("--noise", type=float, metavar="L", help="Only this noise level.")
@click.option("--size", type=int, metavar="N", help="Only this number of training spectra.")
@click.option("--by", type=click.Choice(["noise", "size"]), help="What the columns are (default: noise levels).")
@click.option("--configurations", is_flag=True, help="The settings that validation chose, with the R2 to expect.")
@click.option("--tree", is_flag=True, help="The decision tree that the matrix gives.")
@click.option("--principles", is_flag=True, help="Design principles with verdict, number and experiment.")
@click.option("--left-out", is_flag=True, help="What this scale leaves to the larger one.")
@click.option("--json", "as_json", is_flag=True, help="Print the data as JSON.")
@click.option("--plot", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Draw it into a PNG.")
def command(
    noise: float | None,
    size: int | None,
    by: str | None,
    configurations: bool,
    tree: bool,
    principles: bool,
    left_out: bool,
    as_json: bool,
    plot: Path | None,
) -> None:
    """Every model at every noise level and number of training spectra, on the same test stars.

    Without options: R2 against noise level at the largest number of spectra. --noise alone shows all sizes, --size
    alone all noise levels, both together all scores there. Reads results/trackF/leaderboard.json, which git holds.
    """
    from repro.machine.place import repository_root
    from repro.scores.board import read_leaderboard

    root = repository_root()
    board = read_leaderboard(root / FILE)
    _check(board, noise, size)
    found = _principles(root) if principles else []
    missing = _left_out(root, board) if left_out else ("", [])
    if as_json:
        _as_json(board, found if principles else None, missing[1] if left_out else None)
        return
    if plot:
        from repro.plots.leaderboard import draw

        draw(board, plot)
        click.echo(f"{plot}: drawn")
        return

    from repro.view.leaderboard import View

    view = View(board)
    if configurations:
        view.configurations([e for e in board.largest(size) if noise in (None, e.level)])
    if tree:
        view.tree()
    if principles:
        view.principles(found)
    if left_out:
        view.left_out(board.conditions["scale"], *missing)
    if not (configurations or tree or principles or left_out):
        _show(view, noise, size, by)


def _show(view: View, noise: float | None, size: int | None, by: str | None) -> None:
    board = view.board
    if noise is not None and size is not None and by is None:
        view.one_place(noise, size)
    elif by == "size" or (by is None and noise is not None):
        view.by_size(1.0 if noise is None else noise)
    else:
        view.by_noise(size or board.sizes[-1])


def _check(board: Leaderboard, noise: float | None, size: int | None) -> None:
    for name, value, known in (("noise", noise, board.levels), ("size", size, board.sizes)):
        if value is not None and value not in known:
            listed = ", ".join(f"{each:g}" for each in known)
            raise click.BadParameter(f"{value:g} was not run; there are {listed}", param_hint=f"--{name}")


def _principles(root: Path) -> list[Principle]:
    from repro.claims import report
    from repro.claims.principles import principles
    from repro.claims.registry import read_registry

    registry = read_registry(root)
    tracks = report.select_tracks(registry, ["trackF"])
    return list(principles(report.judge_tracks(root, registry, tracks)))


def _left_out(root: Path, board: Leaderboard) -> tuple[str, list[Missing]]:
    from repro.params import read_params
    from repro.scores.left_out import LARGER, left_out

    params = read_params(root / "params.yaml")
    scale = board.conditions["scale"]
    larger = LARGER.get(scale)
    if larger is None:
        raise click.UsageError(f"scale {scale} leaves nothing out: it is the largest")
    return larger, list(left_out(*(vars(getattr(params, name).trackF) for name in (scale, larger))))


def _as_json(board: Leaderboard, found: list[Principle] | None, missing: list[Missing] | None) -> None:
    data = board.as_json()
    if found is not None:
        data["principles"] = [asdict(one) for one in found]
    if missing is not None:
        data["left_out"] = [one._asdict() for one in missing]
    click.echo(json.dumps(data, indent=1, ensure_ascii=False))
