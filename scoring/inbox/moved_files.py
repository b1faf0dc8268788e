"""Files of an inbox that have been moved or renamed, found again by their content."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from scoring.inbox.rows import Row


def moved_files(gone: Mapping[str, str], rows: Mapping[str, Row], taken: Collection[str]) -> dict[str, str]:
    """Find missing files under new paths, where exactly one record has their content.

    Parameters
    ----------
    gone : mapping of str to str
        Digest of the record by path, of files that are gone.
    rows : mapping of str to Row
        All rows of the inbox by path.
    taken : collection of str
        Paths that count as other records, whatever their content.

    Returns
    -------
    dict of str to str
        New path by old path.
    """
    paths: dict[str, list[str]] = {}
    for path, row in rows.items():
        if path not in taken:
            paths.setdefault(row.record_sha256, []).append(path)
    found = {path: paths.pop(sha256, []) for path, sha256 in gone.items()}
    return {path: candidates[0] for path, candidates in found.items() if len(candidates) == 1}
