"""Where the kit's working tree is."""

from pathlib import Path

from repro.errors import EnvironmentProblem


def repository_root() -> Path:
    """The working directory, if it is the top of a working tree of the kit.

    Raises:
        EnvironmentProblem: there is no dvc.yaml here.
    """
    root = Path.cwd()
    if not (root / "dvc.yaml").is_file():
        raise EnvironmentProblem(f"{root} holds no dvc.yaml: run this command at the top of the repository")
    return root
