"""`repro`: the command group. Commands are imported when they are called, so that help stays instant."""

import importlib
import sys
from typing import Any, Final

import click

from repro import __version__
from repro.errors import ReproError

# name -> one line of help, here so that `repro --help` imports no command
COMMANDS: Final = {
    "verify": "Judge a track's claims against the evidence.",
    "claims": "List the claims of the registry and their sources.",
    "why": "Walk one claim's chain: text, sources, metric, data, parameters, environment.",
    "accept": "Accept the present verdicts as the expected ones and print what changed.",
    "record": "Copy a run's evidence into tracks/*/recorded with hashes.",
    "status": "Show what is up to date, what is stale and what a run would do.",
    "doctor": "Check this machine: Python, packages, GPU, DVC cache, disk, offline mode.",
    "leaderboard": "Compare all models by noise level and number of training spectra.",
    "predict": "Estimate log g of spectra of your own with a trained model.",
    "spectra": "Show or compare spectra of nodes, sets, sources and files, with their derivatives.",
    "export": "Write spectra in the file layout of the original author.",
    "fetch": "Download the spectra of other archives, and check what was downloaded.",
    "molecules": "Show the lines of CN and TiO, and build their cross-sections.",
    "run": "Run the pipeline (dvc repro), if wanted on a cluster.",
    "pack": "Build, check or describe the pinned node grids of scale ci.",
}


class LazyGroup(click.Group):
    """A click group that imports `repro.cli.<name>` on first use and explains `ReproError` in one line."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"repro.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ReproError as error:
            click.echo(f"repro: {error}", err=True)
            sys.exit(2)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="repro")
def main() -> None:
    """Do the claimed numbers reproduce, and if not, why?

    The pipeline runs with DVC (`dvc repro trackC`); these commands judge and explain its results.
    """
