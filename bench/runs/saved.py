"""Arrays and pictures that a task keeps of a run: written, digested, and read again."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.contracts import Score
    from bench.runs.record import Record
    from bench.runs.result import Result


def save_files(score: Score, folder: Path, result: Result) -> None:
    """Write a score's arrays and pictures into ``folder`` and name them in ``result``."""
    if not score.arrays and not score.images:
        return
    folder.mkdir(parents=True, exist_ok=True)
    result.files = str(folder)
    result.digests = digests(score.arrays, score.images)
    if score.arrays:
        import numpy as np
        from safetensors.numpy import save_file

        save_file(
            {name: np.ascontiguousarray(array) for name, array in score.arrays.items()},
            folder / "arrays.safetensors",
        )
        result.arrays = "arrays.safetensors"
    for position, (name, pixels) in enumerate(score.images.items()):
        from PIL import Image

        # a third of the time for a few more kilobytes
        Image.fromarray(pixels).save(folder / f"image-{position}.png", compress_level=1)
        result.images[name] = f"image-{position}.png"


def digests(arrays: Mapping[str, Any], images: Mapping[str, Any]) -> dict[str, str]:
    """Return the digest of each array and picture: of its type, shape and values, and so of none of
    the ways to write it into a file.
    """
    kinds = (("array", arrays), ("image", images))
    return {
        f"{kind}:{name}": _digest(value)
        for kind, values in kinds
        for name, value in sorted(values.items())
    }


def digests_of(record: Record, files: Path) -> dict[str, str]:
    """Return the digests of a record's arrays and pictures, of one without them from its files.

    Args:
        record: of any version.
        files: the folder of its files.

    Raises:
        OSError, ValueError: they are not there, or can't be read.
    """
    if record.digests or not (record.arrays or record.images):
        return dict(record.digests)
    import numpy as np
    from PIL import Image
    from safetensors.numpy import load_file

    arrays = load_file(files / record.arrays) if record.arrays else {}
    images = {}
    for name, file in record.images.items():
        with Image.open(files / file) as opened:
            images[name] = np.asarray(opened)
    return digests(arrays, images)


def _digest(value: Any) -> str:
    import numpy as np

    array = np.ascontiguousarray(value)
    found = hashlib.blake2b(f"{array.dtype.str} {array.shape} ".encode(), digest_size=16)
    found.update(array.tobytes())
    return found.hexdigest()
