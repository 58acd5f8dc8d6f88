"""Take a condensed set away from its record: exact numbers as safetensors, images and labels as a
Hugging Face dataset with its card.
"""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.errors import UsageError

if TYPE_CHECKING:
    from bench.runs.record import Record

_CARD = """---
pretty_name: {title}
task_categories:
- image-classification
size_categories:
- n<1K
configs:
- config_name: default
  data_files:
  - split: train
    path: data/train-*.parquet
---

# {title}

{count} images of {height}x{width} pixels in {classes} classes, made by the method `{method}` of the task `{task}`
({variant}, seed {seed}). It reached {acc} % test accuracy there.

`image` holds the pixels as PNG, clipped to black and white and rounded to 256 levels; `pixels` the numbers as they
were trained on, normalised, (channels, height, width) in a row; `label` the class. `set.safetensors` holds all of it
exactly, with the mean and standard deviation of the normalisation. Each image is a mosaic of {factor} x {factor}
training images.

Record `{record}`, key `{key}`. The licence is that of the images it was made from.
"""  # noqa: E501


def export(record: Record, arrays: Path, folder: Path) -> None:
    """Write the condensed set of a record into ``folder``, which ``datasets.load_dataset`` reads.

    Args:
        record: of a run of the track.
        arrays: the run's ``arrays.safetensors``.
        folder: is there and empty; it gets ``README.md``, ``set.safetensors`` and
            ``data/train-00000-of-00001.parquet``.

    Raises:
        UsageError: the record holds no condensed set.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq
    from safetensors.numpy import load

    found = load(arrays.read_bytes())
    if not {"x", "y", "mean", "std"} <= found.keys():
        raise UsageError(
            f"the record {record.id} holds no condensed set; give that of a method's run of the "
            "track 'condensation'."
        )
    (folder / "data").mkdir()
    shutil.copyfile(arrays, folder / "set.safetensors")
    x, y = found["x"], found["y"]
    classes = int(y.max()) + 1
    features = {
        "image": {"_type": "Image"},
        "pixels": {"feature": {"dtype": "float32", "_type": "Value"}, "_type": "List"},
        "label": {"names": [str(c) for c in range(classes)], "_type": "ClassLabel"},
    }
    image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    table = pa.table(
        {
            "image": pa.array(
                [{"bytes": _png(one, found["mean"], found["std"]), "path": None} for one in x],
                image,
            ),
            "pixels": pa.array(
                [one.ravel() for one in x.astype(np.float32)], pa.list_(pa.float32())
            ),
            "label": pa.array(y, pa.int64()),
        }
    ).replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    with (folder / "data" / "train-00000-of-00001.parquet").open("wb") as stream:
        pq.write_table(table, stream)
    (folder / "README.md").write_text(_card(record, found, classes), encoding="utf-8")


def _png(x: np.ndarray, mean: np.ndarray, std: np.ndarray) -> bytes:
    """Return one normalised image (channels, height, width) as PNG."""
    from PIL import Image

    pixels = np.clip(x * std[:, None, None] + mean[:, None, None], 0, 1)
    pixels = np.round(255 * pixels).astype(np.uint8)
    written = io.BytesIO()
    Image.fromarray(pixels[0] if len(pixels) == 1 else np.moveaxis(pixels, 0, 2)).save(
        written, "png"
    )
    return written.getvalue()


def _card(record: Record, found: dict[str, np.ndarray], classes: int) -> str:
    acc = record.metrics.get("acc")
    return _CARD.format(
        title=f"{record.task} condensed by {record.method}",
        count=len(found["x"]),
        height=found["x"].shape[2],
        width=found["x"].shape[3],
        classes=classes,
        factor=int(np.ravel(found.get("factor", 1))[0]),
        acc="unknown" if acc is None else f"{acc:.1f}",
        record=record.id,
        **{name: getattr(record, name) for name in ("method", "task", "variant", "seed", "key")},
    )
