"""One megabyte of any input is read or refused within a second and 200 MB, with a clear error."""

from __future__ import annotations

import gc
import json
import os
import resource
import time
from collections.abc import Callable

import pytest

from scoring.errors import RecordError
from scoring.records.decode import decode_file, decode_json
from scoring.records.forms.front_matter import MAX_BYTES
from scoring.records.write_back import replace_labels, write_labels

MEGABYTE = 1_000_000
# A yardstick is about a hundredth of a second at rest, and grows with what else keeps a core busy.
MAX_YARDSTICKS, MAX_GROWTH_KB = 120.0, 200_000
N_TRIES = 5  # a machine that turned busy half way gets another chance

HEAD = b"""---
title: Rain
publishedDateTime: 2021-03-04T05:06:07Z
provider:
  name: Daily
topics:
  - Rain
quality: 5
"""
JSON_HEAD = (
    b'{"title":"Rain","topics":["a"],"provider":{"name":"x"},"publishedDateTime":"2021-03-04T05:06:07Z",'
)


def times(part: bytes, n_bytes: int = MEGABYTE) -> bytes:
    return part * (n_bytes // len(part))


def numbered(form: bytes, count: int) -> bytes:
    return b"".join(form % {b"n": number} for number in range(count))


FILES = {
    "lines of body": b"---\n" + times(b"a\n"),
    "blank lines": times(b"\n") + b"---\n",
    "comments": times(b"# x\n") + b"---\n",
    "bare line": b"rain\n---\n",
    "bare quotes": b"'rain'\n---\n",
    "list": b"x:\n" + times(b"  - a\n") + b"---\n",
    "list at the key": b"x:\n" + times(b"- a\n") + b"---\n",
    "list in brackets": b"x: [" + times(b"a,") + b"]\n---\n",
    "depth": b"x: " + times(b"[") + b"\n---\n",
    "depth of mappings": b"x: " + times(b"{a: ") + b"\n---\n",
    "depth of dashes": b"x:\n  " + times(b"- ") + b"a\n---\n",
    "question marks": times(b"? ") + b"a\n---\n",
    "keys": numbered(b"k%(n)d: 1\n", 110_000) + b"---\n",
    "plain keys": numbered(b"k: %(n)d\n", 100_000) + b"---\n",
    "anchors": b"x:\n" + numbered(b"- &a%(n)d a\n", 80_000) + b"---\n",
    "aliases": b"x: &a b\ny: [" + times(b"*a ,") + b"]\n---\n",
    "laughs": b"a0: &a0 [x]\n"
    + numbered(b"b%(n)d: &b%(n)d [*a0, *a0]\n", 20_000)
    + b"images: [*b1, *b2]\n---\n",
    "merge keys": b"a: &a {"
    + numbered(b"k%(n)d: 1,", 40_000)
    + b"}\nb:\n"
    + times(b"- <<: *a\n", 300_000)
    + b"---\n",
    "related by alias": b"a: &a {title: x, quality: 5}\nrelated: [" + times(b"*a ,") + b"]\n---\n",
    "quotes": times(b"x: '\n") + b"---\n",
    "double quotes": times(b'x: "\n') + b"---\n",
    "escapes": b'x: "' + times(b'\\"') + b'"\n---\n',
    "spelled out": b'x: "' + times(b"\\u0041") + b'"\n---\n',
    "escapes, then no end": b'x: "' + times(b'\\"') + b"\n---\n",
    "doubled quotes": b"x: '" + times(b"''") + b"'\n---\n",
    "doubled quotes, then no end": b"x: '" + times(b"''") + b"\n---\n",
    "words": b"x: " + times(b"a ") + b"a\n---\n",
    "words, then a comment": b"x: " + times(b"a ") + b"#\n---\n",
    "colons": b"x: " + times(b"a:") + b"a\n---\n",
    "backslashes": b'x: "' + times(b"\\") + b'"\n---\n',
    "entities": b"excerpt: " + times(b"&amp;") + b"\n---\n",
    "ampersands": b"excerpt: " + times(b"a&") + b"x\n---\n",
    "dashes": times(b"--- x\n") + b"---\n",
    "dashes and blanks": times(b"---  ") + b"\nx\n---\n",
    "no end": times(b"\n---"[:4] + b"x"),
    "related": b"related:\n" + times(b"  - title: 'a'\n    quality: 5\n") + b"---\n",
    "faults": numbered(b"k%(n)d: @\n", 80_000) + b"---\n",
    "faults after many values": b"x:\n" + times(b"- a\n", 200_000) + numbered(b"k%(n)d: @\n", 30) + b"---\n",
    "faults after a long text": b"x: " + times(b"a ") + b"a\n" + numbered(b"k%(n)d: @\n", 30) + b"---\n",
    "quotes over lines": times(b"x: 'a\n  b'\n") + b"---\n",
    "surrogate pairs": b'x: "' + times(rb"\ud83d\ude00") + b'"\n---\n',
    "backslashes before a surrogate pair": b'x: "' + times(b"\\") + rb'\ud83d\ude00"' + b"\n---\n",
    "dots": times(b"...x\n") + b"---\n",
    "zeros": times(b"\0") + b"\n---\n",
}
OTHER_FILES = {
    "toml fields": b"+++\ntitle = 'a'\n" + numbered(b"k%(n)d = 1\n", 20_000) + b"+++\n",
    "toml tables": b"+++\ntitle = 'a'\n" + numbered(b"[k%(n)d]\n", 20_000) + b"+++\n",
    "toml list": b"+++\ntitle = 'a'\nx = [" + times(b"1,", 500_000) + b"]\n+++\n",
    "toml depth": b"+++\ntitle = 'a'\nx = " + times(b"[", 500_000) + b"\n+++\n",
    "toml labels in a text": b"+++\ntitle = '''\n"
    + times(b"quality = 5\n", 300_000)
    + b"'''\nquality = 6\n+++\n",
    "toml tables in a list": b"+++\ntitle = 'a'\nx = [\n" + times(b"[1],\n", 300_000) + b"]\n+++\n",
    "toml quotes": b"+++\n" + times(b"a = '\n", 500_000) + b"+++\n",
    "large toml": b"+++\n" + times(b"a = 1\n", 2 * MEGABYTE) + b"+++\n",
    "json list": b'---json\n{"title":"a","x":[' + times(b"1,") + b"1]}\n---\n",
    "json depth": b'---json\n{"title":"a","x":' + times(b"[") + b"}\n---\n",
    "json fields": b'---json\n{"title":"a"' + numbered(b',"k%(n)d":1', 60_000) + b"}\n---\n",
    "json lines": b'---json\n{"title":"a"' + times(b"\n") + b"}\n---\n",
    "json object": b'{"title":"a","x":"' + times(b"a") + b'"}\n',
    "json object depth": b'{"title":"a","x":' + times(b"[") + b"}\n",
    "json object without an end": b'{"title":"a","x":[' + times(b"1,"),
    "json members": b';;;\n"title":"a"' + numbered(b',"k%(n)d":1', 20_000) + b"\n;;;\n",
}
LINES = {
    "integers": b'"x":[' + times(b"1,") + b"1]}",
    "fractions": b'"x":[' + times(b"1.5,") + b"1]}",
    "objects": b'"x":[' + times(b"{},") + b"{}]}",
    "depth": b'"x":' + times(b"[") + b"}",
    "depth of objects": b'"x":' + times(b'{"a":') + b"}",
    "repeated": b'"x":1,"x":[' + times(b"1,") + b"1]}",
    "repeated objects": b'"x":1,"x":[' + times(b"{},") + b"{}]}",
    "one long integer": b'"x":' + times(b"1") + b"}",
    "opaque, without an end": times(b'"secured":"\\"') + b"}",
    "related": b'"related":[' + times(b'{"quality":1},') + b"{}]}",
    "related, repeated": b'"x":1,"x":2,"related":[' + times(b'{"quality":1},') + b"{}]}",
    "blanks": times(b" ") + b'"x":1}',
}


def yardstick() -> float:
    """Seconds that a fixed computation takes on this machine now."""
    begun = time.process_time()
    sum(len(str(number)) for number in range(90_000))
    return time.process_time() - begun


def measured(work: Callable[[], object]) -> tuple[float, int, str]:
    """Time in yardsticks, memory growth in kB, and output of a callable in a separate process."""
    reading, writing = os.pipe()
    if (pid := os.fork()) == 0:
        os.close(reading)
        gc.freeze()  # what the tests have made is not this work's to look through
        yardsticks = [yardstick()]
        before = resource.getrusage(resource.RUSAGE_SELF)
        begun = time.process_time()
        try:
            work()
            ended = "done"
        except RecordError as error:
            ended = str(error)
        except BaseException as error:
            ended = f"crashed: {error!r}"
        seconds = time.process_time() - begun
        growth = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before.ru_maxrss
        yardsticks.append(yardstick())
        os.write(writing, json.dumps([seconds / max(yardsticks), growth, ended[:300]]).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        output = pipe.read()
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    taken, growth, ended = json.loads(output)
    return taken, growth, ended


def check(work: Callable[[], object]) -> str:
    for _ in range(N_TRIES):
        taken, growth, ended = measured(work)
        if taken < MAX_YARDSTICKS:
            break
    assert not ended.startswith("crashed")
    assert taken < MAX_YARDSTICKS
    assert growth < MAX_GROWTH_KB
    assert len(ended) < 300
    return ended


@pytest.mark.parametrize("name", FILES)
def test_file(name: str) -> None:
    check(lambda: decode_file(HEAD + FILES[name], "a.md"))


@pytest.mark.parametrize("name", FILES)
def test_edit_of_a_file(name: str, tmp_path: object) -> None:
    def edit() -> None:
        with open("a.md", "wb") as file:
            file.write(HEAD + FILES[name])
        write_labels("a.md", {"quality": 84, "heat": 3, "published": True}, roots=["."], dry_run=True)

    check(edit)


@pytest.mark.parametrize("name", OTHER_FILES)
def test_file_in_another_language(name: str) -> None:
    def read_and_edit() -> None:
        decode_file(OTHER_FILES[name], "a.md")
        replace_labels(OTHER_FILES[name], {"quality": 84, "heat": 3})

    check(read_and_edit)


@pytest.mark.parametrize("name", LINES)
def test_line(name: str) -> None:
    check(lambda: decode_json(JSON_HEAD + LINES[name], "a.jsonl", 1))


def test_a_file_of_50_megabytes_is_refused_with_its_size() -> None:
    with open("a.md", "wb") as file:
        file.write(HEAD + b"---\n")
        file.truncate(MAX_BYTES + 1)

    def relabel() -> None:
        write_labels("a.md", {"quality": 84}, roots=["."])

    assert check(relabel).endswith("/a.md: got 50,000,001 bytes, expected at most 50,000,000 bytes")
