"""The commands that Makefile, README and CONTRIBUTING name exist, with the options they show."""

import importlib
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from repro.cli.main import COMMANDS

ROOT = Path(__file__).resolve().parents[2]
MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = re.findall(r"^([a-z-]+):", MAKEFILE, flags=re.MULTILINE)
REQUIRED = {"repro", "test", "test-slow", "verify", "lint", "bench", "clean", "help"}


def test_targets_are_phony_and_listed() -> None:
    """A folder is called `repro`: a target that is not phony would do nothing."""
    (phony,) = re.findall(r"^\.PHONY: (.*)", MAKEFILE, flags=re.MULTILINE)
    assert set(phony.split()) == set(TARGETS)
    assert set(TARGETS) >= REQUIRED
    shown = subprocess.run(["make", "-s"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert re.findall(r"make ([a-z-]+)", shown) == TARGETS


@pytest.mark.parametrize("target", sorted(REQUIRED - {"help", "clean"}))
def test_every_target_makes_its_environment_first(target: str) -> None:
    plan = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert plan.splitlines()[0] == "requirements/bootstrap.sh"


@pytest.mark.parametrize("script", [".ci/run", ".ci/entrypoint", "requirements/bootstrap.sh"])
def test_scripts_are_executable_bash(script: str) -> None:
    assert (ROOT / script).stat().st_mode & 0o111
    assert "set -euo pipefail" in (ROOT / script).read_text()
    subprocess.run(["bash", "-n", script], cwd=ROOT, check=True)


def shown_commands() -> Iterator[tuple[str, str]]:
    """(file, command) for each command line in the documents, from code blocks and inline code."""
    for path in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("tracks/*/README.md")]:
        if path.exists():
            text = path.read_text()
            for command in re.findall(r"(?:^ {4}|^|`)(?:\$ )?((?:make|repro|dvc) [^`\n#]+)", text, flags=re.MULTILINE):
                yield path.relative_to(ROOT).as_posix(), command.strip()


@pytest.mark.parametrize(("file", "command"), sorted(set(shown_commands())))
def test_documented_command_exists(file: str, command: str) -> None:
    program, *words = re.split(r"\s+(?:&&|\|\|?|;|>)", command)[0].split()
    if program == "make":
        assert set(words) <= set(TARGETS), f"{file}: {command}"
    elif program == "repro":
        assert words[0] in COMMANDS or words[0].startswith("-"), f"{file}: {command}"
        if words[0] in COMMANDS:
            check_options(importlib.import_module(f"repro.cli.{words[0]}").command, words[1:], f"{file}: {command}")


def check_options(command: click.Command, words: list[str], where: str) -> None:
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        assert words[0] in command.commands, where
        command, words = command.commands[words[0]], words[1:]
    known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
    assert {word.partition("=")[0] for word in words if word.startswith("--")} <= known, where
