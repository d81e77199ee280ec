"""Each check must see the fault it is for."""

import os
import subprocess
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from repro.cli.main import main
from repro.machine import doctor
from repro.machine.doctor import GIGABYTE, MEMORY_NEEDED
from repro.params import read_params


def git(folder: Path, *words: str) -> None:
    identity = ["-c", "user.name=a", "-c", "user.email=a@localhost"]
    subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def empty_repository(tmp_path: Path, project_root: Path) -> Path:
    """A git and DVC repository with one commit, the kit's DVC settings, parameters and lock files."""
    (tmp_path / ".dvc").mkdir()
    for name in (".dvc/config", ".dvc/.gitignore", "params.yaml"):
        (tmp_path / name).write_bytes((project_root / name).read_bytes())
    (tmp_path / "requirements").symlink_to(project_root / "requirements")
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-qm", "start")
    return tmp_path


@pytest.mark.parametrize(
    ("found", "level"), [((3, 10, 9), "fail"), ((3, 11, 0), "ok"), ((3, 13, 2), "ok"), ((3, 14, 0), "warn")]
)
def test_python(found: tuple[int, int, int], level: str) -> None:
    assert doctor.check_python(found).level == level


def test_packages_against_the_lock(tmp_path: Path) -> None:
    torch = f"torch=={version('torch')} \\\n    --hash=sha256:00\n"
    (tmp_path / "torch.lock").write_text(torch)
    (tmp_path / "torch-cpu.lock").write_text(torch)
    base = tmp_path / "base.lock"

    base.write_text(
        f"# text\nnumpy=={version('numpy')} \\\n    --hash=sha256:00\nnope==1 ; sys_platform == 'win32' \\\n"
    )
    assert doctor.check_packages(tmp_path) == doctor.Check("packages", "ok", "all 2 as locked")

    base.write_text("numpy==0.0.1 \\\n    --hash=sha256:00\n")
    other = doctor.check_packages(tmp_path)
    assert other.level == "warn"
    assert f"numpy {version('numpy')} (locked: 0.0.1)" in other.found

    base.write_text("numpy==0.0.1 \\\nno-such-package==1.0 \\\n")
    missing = doctor.check_packages(tmp_path)
    assert (missing.level, missing.found) == ("fail", "missing: no-such-package")
    assert "make env" in missing.advice


def test_gpu_that_the_installed_torch_cannot_use(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(doctor, "nvidia_driver", lambda: None)
    assert doctor.check_torch().level == "ok"
    monkeypatch.setattr(doctor, "nvidia_driver", lambda: "580.1")
    monkeypatch.setattr(torch.version, "cuda", None)
    assert "REPRO_TORCH=torch" in doctor.check_torch().advice
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    assert "CUDA 13.0" in doctor.check_torch().advice


def test_memory() -> None:
    assert doctor.check_memory(MEMORY_NEEDED * 0.9).level == "warn"
    assert doctor.check_memory(MEMORY_NEEDED * 1.1).level == "ok"
    assert 0.1 * GIGABYTE < doctor.memory_limit() <= os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def test_git_without_repository_commit_or_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert doctor.check_git(tmp_path).level == "fail"
    git(tmp_path, "init", "-q")
    without_commit = doctor.check_git(tmp_path)
    assert without_commit.level == "fail"
    assert "git commit" in without_commit.advice
    git(tmp_path, "commit", "-qm", "start", "--allow-empty")
    assert doctor.check_git(tmp_path).level == "ok"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert doctor.check_git(tmp_path).found == "not installed"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to another user")
def test_git_of_another_owner(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    git(tmp_path, "commit", "-qm", "start", "--allow-empty")
    for path in (tmp_path, tmp_path / ".git"):
        os.chown(path, 12345, 12345)
    found = doctor.check_git(tmp_path)
    assert found.level == "fail"
    assert f"safe.directory {tmp_path}" in found.advice


def test_dvc_outside_a_repository(tmp_path: Path) -> None:
    (outside,) = doctor.check_dvc(tmp_path)
    assert outside.level == "fail"


def test_links_and_offline_mode(empty_repository: Path) -> None:
    config = empty_repository / ".dvc/config"
    links, offline = doctor.check_dvc(empty_repository)
    assert links.level in ("ok", "warn")
    assert "cache" in links.found
    assert offline.level == "ok"

    config.write_text("[core]\n    analytics = false\n[cache]\n    type = copy\n")
    links, offline = doctor.check_dvc(empty_repository)
    assert (links.level, offline.level) == ("warn", "warn")
    assert "check_update on" in offline.found
    assert offline.advice == "run `dvc config core.check_update false`"


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("schema: '2.0'\nstages:\n  a:\n    cmd: echo\n", "ok"),
        ("schema: '2.0'\nstages:\n  a:\n", "fail"),
        ("schema: '2.0'\nstages:\n  a: {cmd", "fail"),
        ("schema: '2.0'\n", "fail"),
        ("", "fail"),
    ],
)
def test_lock_that_a_kill_cut_short(tmp_path: Path, text: str, level: str) -> None:
    path = tmp_path / "dvc.lock"
    assert doctor.check_lock(path).level == "ok"
    path.write_text(text)
    check = doctor.check_lock(path)
    assert check.level == level
    assert ("git checkout dvc.lock" in check.advice) == (level == "fail")


def test_disk(project_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    params = read_params(project_root / "params.yaml")
    need = doctor.disk_needed(params)
    # scale ci: 1260 + 10 080 nodes of one array, 9500 spectra of two, 4096 float32 each, written twice, 0.5 GB around
    assert need == pytest.approx(2 * 16384 * (1260 + 10_080 + 2 * 9500) + 0.5e9)
    for free, level in ((need - 1, "fail"), (need + 1, "ok")):
        monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _, free=free: SimpleNamespace(free=free))
        assert doctor.check_disk(project_root).level == level


def test_disk_with_unreadable_parameters(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("noise: abc\n")
    assert doctor.check_disk(tmp_path).advice == "correct params.yaml"


def test_folder_that_cannot_be_written(tmp_path: Path) -> None:
    assert doctor.check_writable(tmp_path).level == "ok"
    (tmp_path / "results").rmdir()
    (tmp_path / "results").write_text("a file in the place of the folder")
    refused = doctor.check_writable(tmp_path)
    assert refused.level == "fail"
    assert "results (EEXIST" in refused.found


def test_command(empty_repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(empty_repository)
    report = CliRunner().invoke(main, ["doctor"])
    assert report.exit_code == 0, report.output
    assert [line.split()[1] for line in report.output.splitlines() if line[:1].strip()][:2] == ["Python", "packages"]

    (empty_repository / "params.yaml").write_text("noise: abc\n")
    broken = CliRunner().invoke(main, ["doctor", "--json"])
    assert broken.exit_code == 2
    assert '"ok": false' in broken.output


def test_command_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert CliRunner().invoke(main, ["doctor"]).exit_code == 2
