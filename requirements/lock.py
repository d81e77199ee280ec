"""Resolve base.in into lock files: hash-pinned, without addresses, valid for Python 3.11 to 3.13.

base.lock       everything but torch
torch.lock      the public index's torch with the CUDA libraries it needs on Linux (it runs on CPUs too)
installer.lock  uv, which installs the others

torch-cpu.lock is kept by hand: one wheel hash (`pip hash`) per Python version.
Run with the kit's environment: `.venv/bin/python requirements/lock.py`. Nothing of this machine's settings is written.
"""

import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
INSTALLER = "uv==0.13.9"
TORCH_FAMILY = re.compile(r"(torch|triton|cuda-[\w-]+|nvidia-[\w-]+)==")
HEADER = "# Written by requirements/lock.py; do not edit.\n"


def resolve(requirements: str) -> list[str]:
    """Pinned entries (`name==version ; marker`, then one line a hash), one string each, in alphabetical order."""
    uv = str(Path(sys.executable).with_name("uv"))
    # fewest: the same version on every Python rather than the newest for each
    text = subprocess.run(
        [uv, "pip", "compile", "-", "--universal", "--python-version", "3.11", "--fork-strategy", "fewest"]
        + ["--generate-hashes", "--no-emit-index-url", "--no-emit-find-links", "--no-annotate", "--no-header", "-q"],
        input=requirements,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout
    return re.findall(r"^[a-z].*\n(?:    .*\n)*", text, flags=re.MULTILINE)


def main() -> None:
    """Write the three lock files."""
    entries = resolve((HERE / "base.in").read_text())
    torch = [entry for entry in entries if TORCH_FAMILY.match(entry)]
    locks = {
        "base.lock": [entry for entry in entries if entry not in torch],
        "torch.lock": torch,
        "installer.lock": resolve(INSTALLER),
    }
    for name, lines in locks.items():
        (HERE / name).write_text(HEADER + "".join(lines))


if __name__ == "__main__":
    main()
