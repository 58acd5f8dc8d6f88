"""Pictures with labels, and rows of text: from a local folder, a package of the system, or the
Hugging Face hub when that is allowed.

The one module that imports ``datasets``.

A data set NAME is looked for in ``$BENCH_DATA/NAME`` (``~/.local/share/datacentric-bench/NAME``
where the variable is not set). The folder holds either Parquet files as the hub lays them out
(``train-00000-of-00001.parquet`` in any subfolder), for text also JSON lines (``train.jsonl``), or
a ``DatasetDict`` that was saved to disk, or for grey pictures IDX files (see
``bench.training.idx``). Next come the folders of ``XDG_DATA_DIRS``, where packages of the system
put IDX files into ``datasets/NAME``. Where there is none, ``BENCH_HUB=1`` lets bench fetch it;
without that nothing is ever downloaded.
"""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import torch

from bench.errors import DataUnavailable
from bench.runs.inputs import data_root
from bench.runs.read_observer import fetching
from bench.training import idx
from bench.training.data import Examples

if TYPE_CHECKING:
    from bench.runs.context import Run


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """Where pictures come from.

    Attributes:
        name: of the folder.
        repo: on the hub, like ``uoft-cs/cifar10``.
        config: of the repository; its Parquet files lie in a subfolder of that name, or in none.
        label: the label field, where there are several; "": the only one.
        revision: a commit or tag of the repository; "": its newest when it is first fetched.
        grey: whether the pictures have one channel.
        system: the package of Debian and Ubuntu that has it; "": none.
        size: of that package, and its licence, in words.
    """

    name: str
    repo: str
    config: str = ""
    label: str = ""
    revision: str = ""
    grey: bool = False
    system: str = ""
    size: str = ""


def pictures(run: Run, source: Source, split: str) -> Examples:
    """Return a split as x uint8 (n, 3, height, width), of grey pictures (n, 1, height, width), and
    y int64 (n,), in the order of its files; parsed once, then read from the cache.

    Raises:
        DataUnavailable: it is not here, or not readable; the message says how to get it.
    """
    folder, files, origin = _found(source, split)

    def build(child: Run) -> dict[str, torch.Tensor]:
        if files and idx.is_idx(files[0]):
            return idx.examples(*files)
        return _parsed(_opened(folder, files, source, split), source)

    tensors, _ = run.cached(
        {"pictures": msgspec.to_builtins(source), "split": split, **origin}, build
    )
    return Examples(tensors["x"], tensors["y"], int(tensors["classes"]))


def texts(source: Source, split: str, fields: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Return some text fields of every row of a split, in the order of its files.

    Raises:
        DataUnavailable: it is not here, not readable, or has other fields; the message says how to
            get it.
    """
    folder, files, _ = _found(source, split)
    found = _opened(folder, files, source, split)
    if absent := [name for name in fields if name not in found.features]:
        raise DataUnavailable(
            f"the data set {source.name!r} has no field {absent[0]!r}; its fields are "
            f"{', '.join(found.features)}. Get it from {source.repo}."
        )
    return list(zip(*([str(value) for value in found[name][:]] for name in fields), strict=True))


def table(rows: list[dict[str, Any]]) -> Any:
    """Return rows as a ``datasets.Dataset``, for a library that wants one."""
    return _library().Dataset.from_list(rows)


def _found(source: Source, split: str) -> tuple[Path, list[Path], dict[str, Any]]:
    """Return the folder of a data set, the files of a split (none: from
    the hub) and what identifies them.
    """
    folder = data_root() / source.name
    if folder.is_dir():
        return folder, *_stamped(folder, _files(folder, source, split))
    for home in _system_folders(source):
        if files := idx.files(home, split):
            return home, *_stamped(home, files)
    if os.environ.get("BENCH_HUB") == "1":
        return folder, [], {"hub": source.repo}
    if source.system:
        raise DataUnavailable(
            f"the data set {source.name!r} is not on this machine; run 'apt-get install "
            f"{source.system}' ({source.size}), or put its four IDX files or Parquet files into "
            f"{str(folder)!r} (BENCH_DATA names the folder above), or set BENCH_HUB=1 to let bench "
            f"fetch {source.repo} from the Hugging Face hub."
        )
    raise DataUnavailable(
        f"the data set {source.name!r} is not on this machine: there is no folder "
        f"{str(folder)!r}. Put a copy of {source.repo} from the Hugging Face hub "
        "there (its Parquet files, or a saved DatasetDict), name the folder above it in "
        "BENCH_DATA, or set BENCH_HUB=1 to let bench fetch it."
    )


def _system_folders(source: Source) -> list[Path]:
    """Return where a package of the system would have put a data set, first come first; a folder
    that is no absolute path counts for nothing, as the standard has it.
    """
    if not source.system:
        return []
    homes = os.environ.get("XDG_DATA_DIRS") or "/usr/local/share:/usr/share"
    places = [Path(home) for home in homes.split(":")]
    return [home / "datasets" / source.name for home in places if home.is_absolute()]


def _stamped(folder: Path, files: list[Path]) -> tuple[list[Path], dict[str, Any]]:
    """Return files, and what says whether they are still the same."""
    stamps = [(str(path.relative_to(folder)), path.stat()) for path in files]
    return files, {"files": [[name, at.st_size, at.st_mtime_ns] for name, at in stamps]}


def _files(folder: Path, source: Source, split: str) -> list[Path]:
    """Return the files of a split: of a saved ``DatasetDict`` its Arrow
    files, else its Parquet files, else where pictures are grey its two IDX files.
    """
    if (folder / "dataset_dict.json").is_file():
        found = sorted((folder / split).glob("*.arrow"))
    else:
        home = (
            folder / source.config
            if source.config and (folder / source.config).is_dir()
            else folder
        )
        found = sorted(
            path
            for kind in ("*.parquet", "*.jsonl")
            for path in home.rglob(kind)
            if path.name.startswith((f"{split}-", f"{split}."))
        )
    if not found and source.grey:
        found = idx.files(folder, split)
    if not found:
        pair = f", nor the two IDX files {' and '.join(idx.names(split))}" if source.grey else ""
        raise DataUnavailable(
            f"the folder {str(folder)!r} has no split {split!r} of {source.name!r}: neither a "
            f"saved DatasetDict nor Parquet files named like '{split}-00000-of-00001.parquet'{pair}"
            f" are in it; copy {source.repo} from the Hugging Face hub there again."
        )
    return found


def _opened(folder: Path, files: list[Path], source: Source, split: str) -> Any:
    """Return the split as a ``datasets.Dataset``."""
    datasets = _library()
    try:
        if not files:
            with fetching(f"{source.repo}@{source.revision}"):
                revision = {"revision": source.revision} if source.revision else {}
                return datasets.load_dataset(
                    source.repo, source.config or None, split=split, **revision
                )
        if files[0].suffix == ".arrow":
            return datasets.load_from_disk(str(folder))[split]
        import pyarrow
        from pyarrow import json, parquet

        return datasets.Dataset(
            pyarrow.concat_tables(
                [
                    json.read_json(file) if file.suffix == ".jsonl" else parquet.read_table(file)
                    for file in files
                ]
            )
        )
    except Exception as error:  # pyarrow, fsspec and the hub's client each raise their own
        reason = (str(error).splitlines() or [""])[0][:200]
        where = f"in {str(folder)!r}" if files else f"from {source.repo} on the Hugging Face hub"
        raise DataUnavailable(
            f"the data set {source.name!r} could not be read {where} ({type(error).__name__}: "
            f"{reason}); get a fresh copy of it."
        ) from error


def _parsed(found: Any, source: Source) -> dict[str, torch.Tensor]:
    """Return the tensors of a split, its fields found by their type."""
    datasets = _library()
    image = _field(
        found,
        source,
        "picture",
        lambda feature: (
            isinstance(feature, datasets.Image) or {"bytes", "path"} == set(_names(feature))
        ),
        "",
    )
    label = _field(
        found,
        source,
        "label",
        lambda feature: isinstance(feature, datasets.ClassLabel),
        source.label,
    )
    found = found.select_columns([image, label]).cast_column(image, datasets.Image())
    arrays = [_channels(picture, source) for picture in found[image]]
    if len({array.shape for array in arrays}) != 1:
        raise DataUnavailable(
            f"the pictures of {source.name!r} have different sizes; bench reads data sets whose "
            "pictures all have one size."
        )
    y = torch.tensor(found[label][:], dtype=torch.int64)
    x = torch.from_numpy(np.stack(arrays)).permute(0, 3, 1, 2).contiguous()
    return {"x": x, "y": y, "classes": torch.tensor(found.features[label].num_classes)}


def _channels(picture: Any, source: Source) -> np.ndarray:
    """Return a picture (height, width, channels)."""
    if not source.grey:
        return np.asarray(picture.convert("RGB"))
    if picture.mode != "L":
        raise DataUnavailable(
            f"a picture of {source.name!r} is of the kind {picture.mode!r}, where all of them are "
            f"grey ('L'); get a fresh copy of {source.repo}."
        )
    return np.asarray(picture)[..., None]


def _library() -> Any:
    """Return Hugging Face's library; by a call, since to a type checker at
    the root ``datasets`` is our own folder.
    """
    return importlib.import_module("datasets")


def _names(feature: Any) -> list[str]:
    return list(feature) if isinstance(feature, dict) else []


def _field(found: Any, source: Source, what: str, fits: Any, wanted: str) -> str:
    """Return the name of the only field that fits, or of ``wanted`` among several."""
    names = [name for name, feature in found.features.items() if fits(feature)]
    if wanted in names:
        return wanted
    if len(names) != 1:
        said = f"{len(names)} fields that could be its {what}" if names else f"no {what} field"
        raise DataUnavailable(
            f"the data set {source.name!r} has {said}; its fields are {', '.join(found.features)}. "
            f"Get it from {source.repo}, whose files name the types of their fields."
        )
    return str(names[0])
