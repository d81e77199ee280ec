#!/usr/bin/env bash
# Bring .venv up to date with the lock files; a no-op when it is. Every make target runs this first.
# PYTHON=/path/to/python picks the interpreter, REPRO_TORCH=torch|torch-cpu the torch lock file (default: the CPU build
# if pip's settings offer it, otherwise the public index's).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# the folder counts too: a copied or moved environment points at the old place
wanted=$( (pwd && cat requirements/*.lock pyproject.toml) | sha256sum | cut -c1-64)
stamp=.venv/repro-locks # two words: the hash above and the torch lock that was used
if [[ -f $stamp && -x .venv/bin/repro ]]; then
    read -r installed torch_lock <"$stamp"
    [[ $installed == "$wanted" && ${REPRO_TORCH:-$torch_lock} == "$torch_lock" ]] && exit 0
fi

find_python() {
    local name
    for name in ${PYTHON:-python3.13 python3.12 python3.11 python3}; do
        if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            "$name" -c 'import sys; print(sys.executable)'
            return
        fi
    done
    return 1
}

missing=()
python=$(find_python) || missing+=(python3 python3-venv)
if [[ -n $python ]] && ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then missing+=("$(basename "$(readlink -f "$python")")-venv"); fi
command -v git >/dev/null || missing+=(git) # DVC works inside a git repository
if command -v ldconfig >/dev/null && [[ $(ldconfig -p) == *libc.so.6* && $(ldconfig -p) != *libgomp.so.1* ]]; then
    missing+=(libgomp1) # LightGBM's wheel does not bring it
fi
if ((${#missing[@]})); then
    if [[ $EUID -ne 0 ]] || ! command -v apt-get >/dev/null; then
        echo "bootstrap: this machine lacks ${missing[*]} (Debian's names). Install them and run the same command again:" >&2
        echo "    sudo apt-get install ${missing[*]}" >&2
        exit 2
    fi
    echo "bootstrap: installing ${missing[*]}"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null
    python=$(find_python) || {
        echo "bootstrap: Python 3.11 or newer is needed, this system offers $(python3 --version 2>&1)" >&2
        exit 2
    }
fi

if [[ ! -x .venv/bin/python || ! -f .venv/bin/activate ]] || ! grep -qF "$PWD/.venv" .venv/bin/activate ||
    ! .venv/bin/python -c 'import sys, pip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    echo "bootstrap: creating .venv with $("$python" --version)"
    rm -rf .venv
    "$python" -m venv .venv
fi
rm -f "$stamp"
.venv/bin/python requirements/install.py --stamp "$stamp" --hash "$wanted"
