import shutil
import subprocess

import pytest

from repro.sources import fingerprint as module
from repro.sources.fingerprint import canonical, code_fingerprint

CODE = '''"""What it does."""

import math  # needed


def area(radius: float, *, factor=2.50e1) -> float:
    """A docstring."""
    # a comment
    return math.pi * radius**2 + factor if radius > 0 else f"{radius!r:>8} {'a' 'b'}"
'''


@pytest.mark.parametrize(
    "edit",
    [
        ("  # needed", ""),
        ("# a comment", "# another\n    # comment"),
        ('"""A docstring."""', '"""Another one,\n\n    longer.\n    """'),
        ('    """A docstring."""\n', ""),
        ('"""What it does."""\n\n', ""),
        ("math.pi * radius**2", "(math.pi*radius ** 2)"),
        ("2.50e1", "25.0"),
        ("'a' 'b'", "'ab'"),
        ("\n\n\n", "\n\n"),
    ],
)
def test_how_code_is_written_down_does_not_count(edit):
    changed = CODE.replace(*edit)
    assert changed != CODE
    assert canonical(changed) == canonical(CODE)


@pytest.mark.parametrize(
    "edit",
    [
        ("math.pi * radius", "math.pi + radius"),
        ("radius**2", "radius**3"),
        ("radius > 0", "radius >= 0"),
        ("2.50e1", "2.5"),
        ("2.50e1", "25"),
        ("math.pi", "math.tau"),
        ("return math", "math"),
        (">8", ">9"),
    ],
)
def test_what_code_does_counts(edit):
    changed = CODE.replace(*edit)
    assert changed != CODE
    assert canonical(changed) != canonical(CODE)


@pytest.fixture
def package(tmp_path):
    (tmp_path / "area.py").write_text(CODE)
    (tmp_path / "table.json").write_text('{"pi": 3.14}')
    return tmp_path


def fingerprint(package):
    return code_fingerprint(package, package.glob("*.py"), package.glob("*.json"))


def test_tables_and_names_count(package):
    before = fingerprint(package)
    (package / "table.json").write_text('{"pi":  3.14}')
    table_changed = fingerprint(package)
    (package / "area.py").rename(package / "volume.py")
    assert len({before, table_changed, fingerprint(package)}) == 3
    assert len(before) == 64


def test_the_hash_is_the_same_everywhere(package):
    """Fixed number: any Python from 3.11 on, any machine."""
    assert fingerprint(package) == "c5a95b6cbd6a82a74857a8e49f6c6559d7563b8e2ddf97dfad82fc0a4ffeb7e8"


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_other_pythons_agree(version):
    python = shutil.which(f"python{version}")
    if python is None or subprocess.run([python, "-c", ""], capture_output=True, check=False).returncode:
        pytest.skip(f"no Python {version} here")
    # the module alone: that Python has none of the packages
    script = (
        "import sys, types; sys.modules['repro'] = types.ModuleType('repro')\n"
        "sys.modules['repro.files'] = files = types.ModuleType('repro.files'); files.sha256 = None\n"
        f"exec(compile(open({module.__file__!r}).read(), 'fingerprint', 'exec'))\n"
        f"sys.stdout.write(canonical(open({__file__!r}).read() + {CODE!r}))"
    )
    answer = subprocess.run([python, "-c", script], capture_output=True, text=True, check=True)
    with open(__file__) as handle:
        assert answer.stdout == canonical(handle.read() + CODE)
