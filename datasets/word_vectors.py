"""Vectors of pieces of words, from the wheel of the package wordllama."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import ClassVar

from bench import Dataset, DatasetCard, DataUnavailable, Setup
from bench.runs.inputs import data_root
from bench.tracks.weak_supervision import WordVectors

WHEEL = "wordllama-0.4.0.post1-*.whl"
VECTORS = "wordllama/weights/l2_supercat_256.safetensors"
TOKENIZER = "wordllama/tokenizers/l2_supercat_tokenizer_config.json"
GET = "pip download --no-deps --only-binary wordllama wordllama==0.4.0.post1 -d"


class Vectors(Dataset):
    """32,000 vectors of 256 numbers, trained on what large language models know of each piece of a
    word; the package itself is not used.
    """

    card: ClassVar = DatasetCard(
        name="word-vectors",
        title="WordLlama, vectors of pieces of words",
        licence="MIT, of the package; its vectors were trained from embeddings of Llama 2, whose "
        "own licence the package does not name",
        source="PyPI, wheel of wordllama 0.4.0.post1, l2_supercat_256.safetensors",
        size="32,000 vectors of 256 numbers; 19 MB",
        had="local",
        get="pip download --no-deps --only-binary wordllama wordllama==0.4.0.post1 "
        "-d $BENCH_DATA/word-vectors",
        fingerprint="dee1e04d2f829425676ddc4185d4cd22783f71862dff6daf042eb5498863f79e",
        libraries=("safetensors",),
    )

    def load(self, run: Setup) -> WordVectors:
        """Return the vectors, float32, and the tokenizer.

        Raises:
            DataUnavailable: the wheel is not on this machine, or can't be read; the message says
                how to get it.
        """
        from safetensors.torch import load

        folder = data_root() / "word-vectors"
        found = sorted(folder.glob(WHEEL)) if folder.is_dir() else []
        if not found:
            raise DataUnavailable(
                f"the dataset 'word-vectors' is not on this machine; run '{GET} {folder}' (19 MB)."
            )
        weights, tokenizer = _read(found[0])
        (vectors,) = load(weights).values()
        return WordVectors(vectors.float(), tokenizer.decode())


def _read(file: Path) -> tuple[bytes, bytes]:
    """Return the bytes of the vectors and of the tokenizer."""
    try:
        with zipfile.ZipFile(file) as wheel:
            return wheel.read(VECTORS), wheel.read(TOKENIZER)
    except Exception as error:  # a damaged wheel raises whatever its reader meets first
        reason = (str(error).strip().splitlines() or [""])[0][:160]
        raise DataUnavailable(
            f"{str(file)!r} could not be read as the wheel of wordllama 0.4.0.post1 "
            f"({type(error).__name__}: {reason}); remove it and run '{GET} {file.parent}'."
        ) from None
