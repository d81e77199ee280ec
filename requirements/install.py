"""Install the lock files and the kit into the environment that runs this script (see bootstrap.sh).

uv does the work in seconds but does not read pip's configuration, so this machine's own settings (find-links, indexes,
certificates) are read from pip and handed over in the environment, never written anywhere.
"""

import argparse
import ast
import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlparse

HERE = Path(__file__).resolve().parent
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
UV = str(Path(sys.executable).with_name("uv"))


def main() -> None:
    """Install installer, packages and kit; write the stamp last, so that an interrupted run is repeated."""
    parser = argparse.ArgumentParser(description="Install the lock files and the kit.")
    parser.add_argument("--stamp", type=Path, required=True, help="file that says the installation is complete")
    parser.add_argument("--hash", required=True, help="what to write there")
    arguments = parser.parse_args()

    run([*PIP, "install", "-q", "--require-hashes", "-r", str(HERE / "installer.lock")])
    torch = os.environ.get("REPRO_TORCH") or ("torch-cpu" if cpu_build_at_hand() else "torch")
    if not (HERE / f"{torch}.lock").exists():
        sys.exit(f"bootstrap: REPRO_TORCH={torch} names no lock file; it can be torch or torch-cpu")
    print(f"bootstrap: installing base.lock and {torch}.lock", flush=True)
    environment = {**os.environ, **uv_settings(pip_settings())}
    install = [UV, "pip", "install", "--quiet", "--python", sys.executable]
    run([*install, "--require-hashes", "-r", str(HERE / "base.lock"), "-r", str(HERE / f"{torch}.lock")], environment)
    run([*install, "--no-deps", "--no-build-isolation", "--offline", "-e", str(HERE.parent)], environment)
    arguments.stamp.write_text(f"{arguments.hash} {torch}\n")


def run(command: list[str], environment: dict[str, str] | None = None) -> None:
    """Run a command; stop with its exit code if it fails (it has explained itself by then)."""
    code = subprocess.run(command, env=environment).returncode
    if code:
        sys.exit(code)


def cpu_build_at_hand() -> bool:
    """Whether pip, with this machine's settings, finds one of the wheels that torch-cpu.lock pins."""
    command = [*PIP, "install", "--dry-run", "--ignore-installed", "--no-deps", "--require-hashes"]
    return not subprocess.run([*command, "-r", str(HERE / "torch-cpu.lock")], capture_output=True).returncode


def pip_settings() -> dict[str, list[str]]:
    """pip's settings by name, each a list of words; its environment variables come last and win."""
    lines = subprocess.run([*PIP, "config", "list"], capture_output=True, text=True, check=True).stdout.splitlines()
    settings = {}
    for line in sorted(lines, key=lambda line: line.startswith(":env:")):
        key, _, value = line.partition("=")
        settings[key.rpartition(".")[2]] = str(ast.literal_eval(value)).split()
    return settings


def uv_settings(pip: dict[str, list[str]]) -> dict[str, str]:
    """The same settings as environment variables of uv."""
    extra = [url for url in pip.get("extra-index-url", []) if not is_missing_folder(url)]
    settings = {
        "UV_DEFAULT_INDEX": " ".join(pip.get("index-url", [])),
        "UV_INDEX": " ".join(extra),
        "UV_FIND_LINKS": ",".join(pip.get("find-links", [])),
        "UV_INSECURE_HOST": " ".join(pip.get("trusted-host", [])),
        "SSL_CERT_FILE": " ".join(pip.get("cert", [])),
        "UV_NO_INDEX": "1" if "no-index" in pip else "",
        # every file is pinned by its hash, so any index may serve it
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_HTTP_TIMEOUT": "180",
    }
    return {name: value for name, value in settings.items() if value}


def is_missing_folder(url: str) -> bool:
    """Whether `url` is a local index that is not there (pip skips it, uv would stop)."""
    parts = urlparse(url)
    return parts.scheme == "file" and not Path(parts.path).is_dir()


if __name__ == "__main__":
    main()
