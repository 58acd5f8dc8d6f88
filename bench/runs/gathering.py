"""What was read by a load, as it is now: files, folders, what is there and what is not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bench.runs.inputs import File, Inputs, kinds, listing, named, read


def gathered(
    paths: Iterable[str],
    listed: Iterable[str],
    before: Mapping[str, tuple[int, int, int, int]],
    unseen: str,
) -> Inputs:
    """Return the inputs of a load.

    Args:
        paths: files that it read or looked for.
        listed: folders that it listed.
        before: the stamps of files when they were first read; one that has another stamp now
            changed meanwhile.
        unseen: why there may be more; empty: all was seen.
    """
    listed = list(listed)
    there, present, absent = kinds({*paths})
    files = []
    for path in there:
        found = read(path)
        if found is None or before.get(path, found.stamp) != found.stamp:
            unseen = unseen or f"{path} changed while it was read"
        files.append(found or File(path, -1, 0, 0, 0))
    folders = {named(path): digest for path in listed if (digest := listing(path))}
    absent += [path for path in listed if named(path) not in folders]
    return Inputs(
        files=files,
        folders=folders,
        present=[named(path) for path in present],
        absent=[named(path) for path in absent],
        unseen=unseen,
    )
