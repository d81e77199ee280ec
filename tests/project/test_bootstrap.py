"""The environment: how this machine's settings reach the installer, and one installation from nothing."""

import importlib.util
import os
import shutil
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

from tests.project.copies import copy_project

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def install() -> ModuleType:
    spec = importlib.util.spec_from_file_location("install", ROOT / "requirements/install.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_pip_settings_reach_uv(install: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    present = tmp_path / "simple"
    present.mkdir()
    config = tmp_path / "pip.conf"
    config.write_text(
        "[global]\nindex-url = https://index.invalid/simple\n"
        f"extra-index-url =\n    file://{present}\n    file:///no/such/folder\n    https://more.invalid/simple\n"
        "find-links = /in/the/file\n[install]\ntrusted-host = a.invalid b.invalid\n"
    )
    monkeypatch.setenv("PIP_CONFIG_FILE", str(config))
    monkeypatch.setenv("PIP_FIND_LINKS", "/wheels /more/wheels")
    monkeypatch.setenv("PIP_CERT", "/ca.crt")
    settings = install.uv_settings(install.pip_settings())
    assert settings["UV_DEFAULT_INDEX"] == "https://index.invalid/simple"
    assert settings["UV_INDEX"] == f"file://{present} https://more.invalid/simple"
    assert settings["UV_FIND_LINKS"] == "/wheels,/more/wheels", "the environment wins over the file"
    assert settings["UV_INSECURE_HOST"] == "a.invalid b.invalid"
    assert settings["SSL_CERT_FILE"] == "/ca.crt"
    assert "UV_NO_INDEX" not in settings


def test_no_settings_leave_uv_as_it_is(install: ModuleType) -> None:
    assert set(install.uv_settings({})) == {"UV_INDEX_STRATEGY", "UV_HTTP_TIMEOUT"}


def bootstrap(project: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run bootstrap.sh without the environment that runs the tests."""
    inherited = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")}
    return subprocess.run(
        [project / "requirements/bootstrap.sh"], env={**inherited, **variables}, capture_output=True, text=True
    )


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A copy of what bootstrap.sh needs."""
    shutil.copytree(ROOT / "requirements", tmp_path / "kit/requirements")
    shutil.copy(ROOT / "pyproject.toml", tmp_path / "kit")
    return tmp_path / "kit"


def test_machine_without_python_is_told_what_to_install(bare: Path, tmp_path: Path) -> None:
    tools = tmp_path / "bin"  # no apt-get here, so nothing is installed by this test
    tools.mkdir()
    for tool in ("bash", "env", "cat", "cut", "dirname", "basename", "sha256sum", "git"):
        (tools / tool).symlink_to(shutil.which(tool))
    answer = bootstrap(bare, PATH=str(tools), PYTHON="no-such-python")
    assert answer.returncode == 2
    assert "sudo apt-get install python3 python3-venv" in answer.stderr
    assert not (bare / ".venv").exists()


@pytest.mark.slow
def test_installation_from_nothing(tmp_path: Path) -> None:
    project = copy_project(ROOT, tmp_path)
    first = bootstrap(project)
    assert first.returncode == 0, first.stdout + first.stderr
    assert "creating .venv" in first.stdout
    repro = subprocess.run([project / ".venv/bin/repro", "--version"], capture_output=True, text=True, check=True)
    assert repro.stdout.startswith("repro, version")
    report = subprocess.run(
        [project / ".venv/bin/repro", "doctor", "--json"], cwd=project, capture_output=True, text=True
    )
    assert report.returncode == 0, report.stdout
    assert "as locked" in report.stdout

    again = bootstrap(project)
    assert (again.returncode, again.stdout) == (0, ""), "nothing to do"

    lock = project / "requirements/base.lock"
    lock.write_text(lock.read_text() + "# a new lock file\n")
    renewed = bootstrap(project)
    assert renewed.returncode == 0, renewed.stderr
    assert "installing" in renewed.stdout
    assert "creating" not in renewed.stdout
