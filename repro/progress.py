"""Progress for long work: a bar on a terminal, sparse plain lines in a log."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Report = Callable[[int, int], None]  # items done so far, items in all

_SECONDS_BETWEEN_LINES = 15.0


def silent(_done: int, _total: int) -> None:
    """Report nothing."""


@contextmanager
def progress(description: str) -> Iterator[Report]:
    """Yield a function to be called with the number of items done so far and in all.

    Writes to standard error, so that standard output stays clean for results.
    """
    if sys.stderr.isatty():
        with _bar(description) as report:
            yield report
    else:
        yield _plain_lines(description)


@contextmanager
def _bar(description: str) -> Iterator[Report]:
    from rich import progress as rich_progress
    from rich.console import Console
    from rich.text import Text

    class Rate(rich_progress.ProgressColumn):
        def render(self, task: rich_progress.Task) -> Text:
            return Text("" if not task.speed else f"{task.speed:.3g}/s")

    columns = (
        rich_progress.TextColumn("{task.description}"),
        rich_progress.BarColumn(),
        rich_progress.MofNCompleteColumn(),
        rich_progress.TimeElapsedColumn(),
        Rate(),
        rich_progress.TextColumn("left"),
        rich_progress.TimeRemainingColumn(),
    )
    with rich_progress.Progress(*columns, console=Console(stderr=True)) as bars:
        task = bars.add_task(description, total=None)

        def report(done: int, total: int) -> None:
            bars.update(task, completed=done, total=total)

        yield report


def _plain_lines(description: str) -> Report:
    """A line at the first report, then at most one each quarter of a minute, and one at the end."""
    started = time.monotonic()
    last_line = -_SECONDS_BETWEEN_LINES

    def report(done: int, total: int) -> None:
        nonlocal last_line
        elapsed = time.monotonic() - started
        if done < total and elapsed - last_line < _SECONDS_BETWEEN_LINES:
            return
        last_line = elapsed
        rate = f", {done / elapsed:.3g}/s" if done and elapsed else ""
        left = f", about {elapsed / done * (total - done):.0f} s left" if 0 < done < total else ""
        print(f"{description}: {done} of {total}, {elapsed:.0f} s{rate}{left}", file=sys.stderr, flush=True)

    return report
