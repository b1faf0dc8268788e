"""Find the files of records: folders, globs and links."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import TYPE_CHECKING

from scoring.errors import Fault, RecordError, shown
from scoring.records.field_maps.file_globs import FileGlobs
from scoring.records.file_heads import LINE_EXTENSIONS, REPORTED_ONE_BY_ONE, count_other, reason_of
from scoring.records.file_names import is_markdown
from scoring.records.left_out import LINK_OUT, Walk, walking
from scoring.records.tables import is_table
from scoring.storage.regular_files import IrregularFileError, kind_of
from scoring.storage.urls import is_remote, local_path

if TYPE_CHECKING:
    from scoring.records.selection import Selection

#: Callback for the error of each unusable record.
OnFault = Callable[[RecordError], None]

STDIN = "-"
"""Path that means standard input."""

_GLOB_CHARACTERS = frozenset("*?[")


def expand(
    paths: Sequence[str], *, on_fault: OnFault | None = None, selection: Selection | None = None
) -> list[str]:
    """Expand paths to record files.

    A folder is walked for Markdown (:data:`scoring.records.file_names.RECORD_EXTENSIONS`), sorted. Hidden
    entries and links that lead out of the folder are skipped. A Markdown file without front matter (a
    ``README.md``), or one that is empty or in UTF-16, is left out of a folder, but kept if it is named
    explicitly or by a glob; what a walk leaves out is counted by :func:`scoring.records.left_out.walking`. A
    Markdown entry of a folder that is not a regular file (a FIFO, a socket, a device, a folder) is kept, and
    reading it is a fault. A FIFO with another name that is named explicitly, as ``<(command)`` does, is read
    like standard input.

    Parameters
    ----------
    paths : sequence of str
        Folders, files, globs, and ``-`` for standard input, in any mix; also as URLs: see
        :mod:`scoring.records.remote_files`.
    on_fault : callable, optional
        Called for each match of a glob that is skipped because it is not a regular file.
    selection : Selection, optional
        Which of the files are taken; with one, a folder without any is no fault.

    Returns
    -------
    list of str
        Each file once, in the order of the paths.

    Raises
    ------
    RecordError
        If a path does not exist or contains no record; one fault per path.
    """
    files_by_identity: dict[str, str] = {}
    folders: dict[str, str] = {}
    faults: list[Fault] = []
    for path in map(local_path, paths):
        try:
            for file, is_link in _expand_one(path, on_fault, selection):
                files_by_identity.setdefault(identify(file, folders, is_link=is_link), file)
        except RecordError as error:
            faults += error.faults
    if faults:
        raise RecordError(*faults)
    return list(files_by_identity.values())


def shown_names(paths: Sequence[str]) -> dict[str, list[str]]:
    """Map each displayed path, as documents and scores have it, to its files (usually one).

    Raises
    ------
    RecordError
        As :func:`expand` does.
    """
    names: dict[str, list[str]] = {}
    for file in expand(paths):
        names.setdefault(shown(file), []).append(file)
    return names


def files_within(folder: str, on_fault: OnFault | None = None) -> Iterator[str]:
    """Yield the files that :func:`expand` finds in a folder, and those whose fault is to be reported.

    An empty folder is not a fault. See :func:`may_hold_record`.

    Parameters
    ----------
    folder : str
        The folder.
    on_fault : callable, optional
        Called with the error of each unreadable subfolder, which is then skipped.

    Raises
    ------
    RecordError
        If the folder cannot be read, or a subfolder cannot be read and there is no `on_fault`.
    """
    entries = _entries(folder, Walk(), on_fault)
    return (file for file, _, reason in entries if reason in REPORTED_ONE_BY_ONE)


def _expand_one(path: str, on_fault: OnFault | None, selection: Selection | None) -> list[tuple[str, bool]]:
    """Expand one path to pairs of file and whether it is a link."""
    if is_remote(path):
        return [(file, False) for file in _expand_url(path, selection)]
    if path != STDIN and os.path.isdir(path):
        only = selection.only if selection else None
        with walking(path) as walk:
            files = [
                (file, is_link) for file, is_link, reason in _entries(path, walk, only=only) if not reason
            ]
            walk.n_files = len(files)
        if not files and only is None:
            raise RecordError(Fault(path, 0, "", _without_records(walk), "Markdown files with front matter"))
        return files
    named = [(file, os.path.islink(file)) for file in _named(path, on_fault)]
    return [pair for pair in named if selection is None or selection.takes_named(pair[0])]


def _expand_url(url: str, selection: Selection | None) -> list[str]:
    """Expand a URL by the same rules; its files are copied."""
    from scoring.records.remote_files import find_named

    named = find_named(url)
    if named is not None:
        return [file for file in named if selection is None or selection.takes_named(file)]
    with walking(url) as walk:
        files = [file for file, _, reason in _entries(url, walk) if not reason]
        walk.n_files = len(files)
    if not files:
        raise RecordError(Fault(url, 0, "", _without_records(walk), "Markdown files with front matter"))
    return files


def _named(path: str, on_fault: OnFault | None) -> list[str]:
    """The file of a path, or the files of a glob."""
    if path == STDIN or os.path.exists(path):
        return [path]
    if _GLOB_CHARACTERS.isdisjoint(path):
        raise RecordError(Fault(path, 0, "", "no such file or folder", "a file, a folder, a glob or -"))
    matches = []
    for match in sorted(glob.glob(path, recursive=True)):
        kind = kind_of(match)
        if kind is None or is_markdown(match):
            matches.append(match)
        elif kind != "a folder" and on_fault is not None:
            on_fault(irregular(match, kind))
    if not matches:
        raise RecordError(Fault(path, 0, "", "a glob that matches no file", "at least one file"))
    return matches


def _without_records(walk: Walk) -> str:
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in walk.counts.most_common())
    return f"a folder without records ({reasons})" if reasons else "a folder without records"


def _entries(
    folder: str, walk: Walk, on_fault: OnFault | None = None, only: Collection[str] | None = None
) -> Iterator[tuple[str, bool, str | None]]:
    """Yield the Markdown entries of a folder: path, whether it is a link, why it is left out, if it is."""
    if is_remote(folder):
        from scoring.records.remote_files import walk_url

        walked = walk_url(folder, lambda file, name: count_other(file, name, walk), walk)
    else:
        walked = _walk(folder, walk, on_fault, only)
    for file, is_link, is_regular in walked:
        is_front_matter = is_regular and not file.endswith(LINE_EXTENSIONS) and not is_table(file)
        reason = reason_of(file) if is_front_matter else None
        if reason:
            walk.leave_out(file, reason)
        yield file, is_link, reason


def _walk(
    folder: str, walk: Walk, on_fault: OnFault | None, only: Collection[str] | None
) -> Iterator[tuple[str, bool, bool]]:
    """Yield entries named as Markdown with whether each is a link and whether it is a regular file.

    With ``only``, other entries than these real paths are passed over, and not counted.
    """

    def report(error: OSError) -> None:
        if on_fault is None or error.filename == folder:
            raise unreadable(str(error.filename), error)
        if not isinstance(error, FileNotFoundError):  # deleted during the walk: not a fault
            on_fault(unreadable(str(error.filename), error))

    root, globs = os.path.realpath(folder), FileGlobs()
    real_folders: dict[str, str] = {}
    for base, folders, names in os.walk(folder, onerror=report):
        globs.enter(base, names)
        names += [name for name in folders if is_markdown(name)]
        if only is None:
            walk.n_other += sum(name.startswith(".") for name in folders)
        folders[:] = sorted(name for name in folders if not name.startswith(".") and not is_markdown(name))
        links, others = _links_and_others(base)
        if only is not None:
            files = {name: os.path.join(base, name) for name in names}
            names = [
                name
                for name, file in files.items()
                if identify(file, real_folders, is_link=name in links) in only
            ]
        for name in folders if only is None else ():
            if name in links and not _leads_within(os.path.join(base, name), root):
                walk.leave_out(os.path.join(base, name), LINK_OUT)
        for name in sorted(names):
            file = os.path.join(base, name)
            if name.startswith(".") or not globs.holds_record(base, name):
                count_other(file, name, walk)
                continue
            is_link = name in links
            if not is_link:
                yield file, False, name not in others
            elif _leads_within(file, root):
                yield file, True, kind_of(file) is None
            else:
                walk.leave_out(file, LINK_OUT)


def _leads_within(link: str, root: str) -> bool:
    return os.path.commonpath([root, os.path.realpath(link)]) == root


def _links_and_others(folder: str) -> tuple[set[str], set[str]]:
    """Names of a folder's links, and of its other entries that are not regular files.

    One listing is faster than one ``stat`` per file.
    """
    links, others = set(), set()
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_symlink():
                    links.add(entry.name)
                elif not entry.is_file(follow_symlinks=False):
                    others.add(entry.name)
            return links, others
    except OSError as error:
        raise unreadable(folder, error) from None


def identify(file: str, folders: dict[str, str], *, is_link: bool) -> str:
    """Return one name for a file, however it is reached; ``folders`` caches resolved folders."""
    if file == STDIN or is_remote(file):
        return file
    if is_link:
        return os.path.realpath(file)
    folder, name = os.path.split(file)
    if folder not in folders:
        folders[folder] = os.path.realpath(folder)
    return os.path.join(folders[folder], name)


def unreadable(file: str, error: OSError) -> RecordError:
    """Error for a file that the system cannot read."""
    if isinstance(error, IrregularFileError):
        return irregular(file, str(error.strerror))
    got = error.strerror or "a disk error"
    return RecordError(Fault(file, 0, "", got, "a file that can be read"))


def irregular(file: str, kind: str) -> RecordError:
    """Error for an entry that is not a regular file; it is not read."""
    return RecordError(Fault(file, 0, "", kind, "a regular file"))
