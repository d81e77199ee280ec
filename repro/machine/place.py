"""Where the kit's working tree is."""

from pathlib import Path

from repro.errors import EnvironmentProblem


def repository_root() -> Path:
    """The nearest folder at or above the working directory that holds a dvc.yaml.

    Raises:
        EnvironmentProblem: there is none.
    """
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "dvc.yaml").is_file():
            return folder
    raise EnvironmentProblem(f"{here}: neither here nor above is a dvc.yaml; run this command inside the repository")
