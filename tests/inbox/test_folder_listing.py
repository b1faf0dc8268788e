"""A change of named files has the effect on the list that listing the folder again has."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from scoring.inbox.folder_listing import Listing, named_changes
from scoring.inbox.folder_watch import identity_of, state_of
from scoring.records.files import files_within

RECORD = "---\ntitle: Rain\n---\n"


def list_of(folder: Path) -> Listing:
    files = {file: state for file in files_within(str(folder)) if (state := state_of(file))}
    folders = {os.path.dirname(file) for file in files} | {str(folder)}
    return Listing(files, {name: identity_of(name) for name in folders}, is_whole=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.md", "b.md", "sub/c.md", "sub/deep/d.md"):
        (tmp_path / "inbox" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "inbox" / name).write_text(RECORD)
    return tmp_path / "inbox"


def test_any_changes_of_files_have_the_effect_of_a_new_list(folder: Path) -> None:
    random = Random(1)  # noqa: S311 -- no secret
    names = ["a.md", "b.md", "sub/c.md", "sub/deep/d.md", "new.md", "sub/new.mdx", ".hidden.md", "sub/no.txt"]
    listing, n_updated = list_of(folder), 0
    for _ in range(200):
        changed = random.sample(names, random.randint(1, 3))
        for name in changed:
            file = folder / name
            text = random.choice([None, RECORD, RECORD + "\n", "# No record\n", ""])
            if text is not None:
                file.write_text(text)
            elif file.exists():
                file.unlink()
        now = list_of(folder)
        if (changes := named_changes(listing, str(folder), changed)) is not None:
            updated = {**listing.files, **changes.present}
            for path in changes.removed:
                del updated[path]
            assert updated == now.files
            n_updated += 1
        listing = now
    assert n_updated > 100


def linked(folder: Path) -> str:
    (folder / "link.md").symlink_to(folder / "a.md")
    return "link.md"


def made(folder: Path) -> str:
    (folder / "other").mkdir()
    (folder / "other" / "e.md").write_text(RECORD)
    return "other/e.md"


def made_as_a_folder(folder: Path) -> str:
    return made(folder).partition("/")[0]


def moved_away(folder: Path) -> str:
    (folder / "sub").rename(folder.with_name("elsewhere"))
    return "sub"


def replaced(folder: Path) -> str:
    moved_away(folder)
    (folder / "sub").mkdir()
    (folder / "sub" / "c.md").write_text(RECORD)
    return "sub/c.md"


def mapped(folder: Path) -> str:
    (folder / "scoring-fields.yaml").write_text("fields: {}\n")
    return "scoring-fields.yaml"


def mapped_wrongly(folder: Path) -> str:
    (folder / "scoring-fields.yaml").write_text("fields: [\n")
    return "a.md"


@pytest.mark.parametrize(
    "change", [linked, made, made_as_a_folder, moved_away, replaced, mapped, mapped_wrongly]
)
def test_a_change_of_more_than_files_needs_a_list(folder: Path, change: Callable[[Path], str]) -> None:
    listing = list_of(folder)
    assert named_changes(listing, str(folder), [change(folder)]) is None


def test_after_a_list_that_is_not_whole_another_is_needed(folder: Path) -> None:
    listing = list_of(folder)
    assert named_changes(listing, str(folder), ["a.md"]) is not None
    assert named_changes(listing._replace(is_whole=False), str(folder), ["a.md"]) is None
