#!/usr/bin/env bash
# Make a clone where it is hardest: only its owner can read the folder, the path has blanks and letters beyond ASCII,
# and LANG is C. There run the demo, and the tests that depend on their place.
#
# usage: tests/clone.sh PYTHON UV ARGUMENT...
#   PYTHON    to make the clone's environment with
#   UV        installs into it
#   ARGUMENT  for pytest
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
here=$PWD
python=$("$1" -c 'import sys; print(sys.executable)')
uv=$(realpath "$2")
shift 2

folder=$(mktemp -d)  # of mode 0700
trap 'rm -rf "$folder"' EXIT
clone="$folder/a clone – café"
git clone --quiet . "$clone"
# With what is not committed yet.
git diff --binary HEAD >"$folder/changes"
[ ! -s "$folder/changes" ] || git -C "$clone" apply "$folder/changes"
git ls-files -z --others --exclude-standard | xargs -0r cp --parents --target-directory "$clone"

cd "$clone"
unset LC_ALL LC_CTYPE
export LANG=C
unset PYTHONDONTWRITEBYTECODE
mkdir -p build/uv/bin
ln -s "$uv" build/uv/bin/uv
make --no-print-directory venv PYTHON="$python"
# What is compiled beside the same sources: Python takes it where their times are the same, and else compiles anew.
packages=$(echo .venv/lib/python3.*/site-packages)
if [ -d "$here/$packages" ]; then
    (cd "$packages" && find . -type d) | (
        cd "$here/$packages"
        while read -r module; do
            if [ -d "$module/__pycache__" ]; then echo "$module/__pycache__"; fi
        done | tar -cf - -T -
    ) | tar -C "$packages" -xf -
fi
make --no-print-directory demo PYTHON="$python"
.venv/bin/python -m pytest "$@"
