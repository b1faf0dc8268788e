#!/usr/bin/env bash
# Run tests on the Python that the system itself has, which others will have too.
#
# usage: tests/system_python.sh PYTHON UV ARGUMENT...
#   PYTHON  the one that all tests run on anyway
#   UV      makes the environment, in build/system-python
#   ARGUMENT  for pytest
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
python=$1 uv=$2
shift 2

version_of() { "$1" -c 'import platform; print(platform.python_version())'; }

system=$(command -pv python3 || true)
if [ -z "$system" ]; then
    echo 'this system has no Python of its own: the tests run on the one that they have'
    exit
fi
version=$(version_of "$system")
if ! grep -q "Python :: ${version%.*}\"" pyproject.toml; then
    echo "$system is Python $version, which is not supported: it is not tested"
    exit
fi
if [ "$version" = "$(version_of "$python")" ]; then
    echo "$system is Python $version, which all tests run on"
    exit
fi
echo "$system is Python $version"
place=build/system-python
if ! [ "$place/.ready-$version" -nt pyproject.toml ]; then
    rm -rf "$place"
    "$uv" venv --quiet --python "$system" "$place"
    "$uv" pip install --quiet --python "$place/bin/python" --editable '.[dev]'
    touch "$place/.ready-$version"
fi
"$place/bin/python" -m pytest "$@"
