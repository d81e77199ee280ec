"""`repro run`."""

import os
import subprocess
import sys
from pathlib import Path

import click


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("target", nargs=-1)
@click.option(
    "--cluster",
    metavar="ADDRESS",
    help="Compute nodes and spectrum sets on this Dask cluster: tcp://host:8786 or a scheduler file.",
)
def command(target: tuple[str, ...], cluster: str | None) -> None:
    """Run the pipeline with `dvc repro TARGET...` (a track, any stage or a DVC option), if wanted on a cluster.

    The results are those of a local run: blocks of nodes or spectra are computed by the workers and written here. Start
    the workers with one thread each, in an environment with the same revision of the kit, and, for spectrum sets, with
    this folder at the same place:

    \b
      dask scheduler --scheduler-file scheduler.json
      dask worker --scheduler-file scheduler.json --nthreads 1 --nworkers 16
      repro run trackC --cluster scheduler.json
    """
    from repro.spectra.cluster import ADDRESS

    environment = dict(os.environ)
    if cluster:
        environment[ADDRESS] = cluster if "://" in cluster else str(Path(cluster).resolve())
    answer = subprocess.run([sys.executable, "-m", "dvc", "repro", *target], env=environment, check=False)
    sys.exit(answer.returncode)
