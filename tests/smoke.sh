#!/usr/bin/env bash
# Install the wheel without extras, with those of the service's image, and with all; check the number and size of the
# packages, and run the main commands with the first and the last.
#
# usage: tests/smoke.sh PYTHON UV WHEEL
#   PYTHON  to make the environments with
#   UV      installs into them
#   WHEEL   of the package
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
python=$("$1" -c 'import sys; print(sys.executable)')
uv=$(realpath "$2")
wheel=$(realpath "$3")
place=$PWD/build/smoke
rm -rf "$place"
mkdir -p "$place"
cd "$place"
unset "${!SCORING_@}" "${!MLFLOW_@}"

# install NAME EXTRAS PACKAGES MEGABYTES: at most so many of both; 0 is no bound.
install() {
    "$python" -m venv --without-pip "$1"
    "$uv" pip install --quiet --python "$1/bin/python" "$wheel$2"
    local packages megabytes
    packages=$(find "$1" -name '*.dist-info' | wc -l)
    megabytes=$(du -sm "$1"/lib/python3.*/site-packages | cut -f 1)
    echo "$1: $packages packages, $megabytes MB"
    if [ "$3" -gt 0 ] && { [ "$packages" -gt "$3" ] || [ "$megabytes" -gt "$4" ]; }; then
        echo "$1: expected at most $3 packages and $4 MB" >&2
        exit 1
    fi
}

# expect N FILE: the file has so many lines.
expect() {
    if [ "$(wc -l <"$2")" -ne "$1" ]; then
        echo "$2: got $(wc -l <"$2") lines, expected $1" >&2
        exit 1
    fi
}

# run NAME: validate, score, write, watch.
run() {
    local scoring="$place/$1/bin/scoring" watch
    mkdir "of $1"
    cd "of $1"
    export SCORING_HOME="$PWD/home"
    "$scoring" sample records --records 20 --unlabelled
    "$scoring" validate records
    "$scoring" score records --model shipped --format jsonl >scores.jsonl
    expect 20 scores.jsonl
    "$scoring" watch records --model shipped >watched.jsonl &
    watch=$!
    for _ in $(seq 600); do
        [ "$(wc -l <watched.jsonl)" -lt 20 ] || break
        sleep 0.1
    done
    kill -TERM "$watch"
    wait "$watch" || [ $? -eq 143 ]
    expect 20 watched.jsonl
    "$scoring" score records --model shipped --write >written.txt
    expect 20 written.txt
    cd "$place"
}

install core '' 30 240
install serve '[serve,track]' 90 420
install all '[all]' 0 0
run core
run all
