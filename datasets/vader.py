"""The raw ratings behind the VADER lexicon."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import ClassVar

import torch

from bench import Dataset, DatasetCard, DataUnavailable, Run, Setup
from bench.training.data import RatedTexts


class Vader(Dataset):
    """7,520 words, slang terms and emoticons, each rated by ten people
    from -4 (most negative) to 4 (most positive).
    """

    card: ClassVar = DatasetCard(
        name="vader",
        title="VADER: ten people's ratings of words",
        licence="MIT",
        source="PyPI, vaderSentiment, vader_lexicon.txt",
        size="7,520 tokens with ten ratings each; 14 tokens come twice",
        had="shipped",
        get="pip install 'datacentric-bench[noisy]'",
        fingerprint="3828425d7f86bdf01a29f1394a48c4ec3e62ce972aeb1b055fc77ce2820af27a",
        libraries=("vaderSentiment",),
        bibtex="""@inproceedings{hutto2014vader,
  title = {VADER: A Parsimonious Rule-based Model for Sentiment Analysis of Social Media Text},
  author = {Hutto, C. J. and Gilbert, Eric},
  booktitle = {ICWSM},
  year = {2014}
}""",
    )

    def load(self, run: Setup) -> RatedTexts:
        """Return 7,520 texts and their ratings int8 (7520, 10), in the order of the file."""
        tensors, _ = run.cached({"dataset": "vader"}, _read)
        letters, ends = bytes(tensors["letters"].cpu().numpy()), tensors["ends"].tolist()
        return RatedTexts(
            [letters[start:end].decode() for start, end in zip([0, *ends], ends, strict=False)],
            tensors["ratings"],
        )


def _read(run: Run) -> dict[str, torch.Tensor]:
    found = importlib.util.find_spec("vaderSentiment")
    file = (
        Path(found.submodule_search_locations[0]) / "vader_lexicon.txt"
        if found and found.submodule_search_locations
        else None
    )
    if file is None or not file.is_file():
        raise DataUnavailable(
            "the library vaderSentiment has no vader_lexicon.txt here; run 'pip install "
            "vaderSentiment>=3.3'."
        )
    rows = [
        line.split("\t") for line in file.read_text(encoding="utf-8").splitlines() if line.strip()
    ]
    texts = [row[0].encode() for row in rows]
    return {
        "letters": torch.frombuffer(bytearray(b"".join(texts)), dtype=torch.uint8),
        "ends": torch.tensor([len(text) for text in texts]).cumsum(0),
        "ratings": torch.tensor([json.loads(row[3]) for row in rows], dtype=torch.int8),
    }
