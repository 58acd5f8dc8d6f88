"""Sentences of four kinds, from the source archive of the package vaderSentiment."""

from __future__ import annotations

import functools
import io
import tarfile
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch

from bench import Dataset, DatasetCard, DataUnavailable, Run, Setup
from bench.runs.inputs import data_root
from bench.training.data import Examples

WIDTH = 512
ARCHIVE = "vaderSentiment-3.3.2.tar.gz"
INNER = "vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz"
KINDS = ("movieReviewSnippets", "amazonReviewSnippets", "tweets", "nytEditorialSnippets")
GET = "pip download --no-deps --no-binary vaderSentiment vaderSentiment==3.3.2 -d"


class Snippets(Dataset):
    """23,619 sentences as hashed words; the class is where a sentence was published: in a review of
    a film, in a review of a product, as a tweet, in an editorial of a newspaper.
    """

    card: ClassVar = DatasetCard(
        name="snippets",
        title="Sentences of reviews, tweets and editorials (Hutto and Gilbert 2014)",
        licence="MIT, of the package; none is named for the sentences, which stay on the machine",
        source="PyPI, source archive of vaderSentiment 3.3.2, hutto_ICWSM_2014.tar.gz",
        size="23,619 sentences of 17 words, 4 classes of 3,697 to 10,603; 2.5 MB",
        had="local",
        get="pip download --no-deps --no-binary vaderSentiment vaderSentiment==3.3.2 "
        "-d $BENCH_DATA/snippets",
        fingerprint="88eea1c83a1c1267d628342615e6ef24833fdbef170db97b80aad88768e40213",
        libraries=("sklearn",),
        bibtex="""@inproceedings{hutto2014vader,
  title = {VADER: A Parsimonious Rule-based Model for Sentiment Analysis of Social Media Text},
  author = {Hutto, C. J. and Gilbert, Eric},
  booktitle = {ICWSM},
  year = {2014}
}""",
    )

    def load(self, run: Setup) -> Examples:
        """Return x float32 (23619, 1, 512), signed hashed counts of the words of a sentence, of
        length one, and y int64 (23619,); of equal sentences of a class the first.

        Raises:
            DataUnavailable: the archive is not on this machine, or can't be read; the message says
                how to get it.
        """
        file = data_root() / "snippets" / ARCHIVE
        if not file.is_file():
            raise DataUnavailable(
                f"the dataset 'snippets' is not on this machine; run '{GET} {file.parent}' "
                "(2.5 MB)."
            )
        tensors, _ = run.cached(
            {"dataset": "snippets", "file": str(file)}, functools.partial(_read, file)
        )
        return Examples(tensors["x"], tensors["y"], len(KINDS))


def _read(file: Path, run: Run) -> dict[str, torch.Tensor]:
    from sklearn.feature_extraction.text import HashingVectorizer

    try:
        with tarfile.open(file) as outer:
            packed = outer.extractfile(INNER)
            assert packed is not None, f"{INNER} is a folder"
            with tarfile.open(fileobj=io.BytesIO(packed.read())) as inner:
                texts = [_sentences(inner, kind) for kind in KINDS]
    except Exception as error:  # a damaged archive raises whatever its reader meets first
        reason = (str(error).strip().splitlines() or [""])[0][:160]
        raise DataUnavailable(
            f"{str(file)!r} could not be read as the source archive of vaderSentiment 3.3.2 "
            f"({type(error).__name__}: {reason}); remove it and run '{GET} {file.parent}'."
        ) from None
    hashing = HashingVectorizer(n_features=WIDTH, norm=None, dtype=np.float64)
    counts = hashing.transform([text for part in texts for text in part]).toarray()
    # whole numbers up to here: every machine has the same roots and quotients of them
    length = np.sqrt((counts**2).sum(1, keepdims=True)).clip(1)
    x = (counts / length).astype(np.float32)
    sizes = torch.tensor([len(part) for part in texts])
    return {
        "x": torch.from_numpy(x)[:, None].contiguous(),
        "y": torch.arange(len(KINDS)).repeat_interleave(sizes),
    }


def _sentences(archive: tarfile.TarFile, kind: str) -> list[str]:
    """Return the sentences of a kind, each once, in the order of the file."""
    packed = archive.extractfile(f"hutto_ICWSM_2014/{kind}_GroundTruth.txt")
    assert packed is not None, f"{kind}_GroundTruth.txt is a folder"
    lines = packed.read().decode("utf-8").splitlines()
    return list(dict.fromkeys(line.split("\t")[2].strip() for line in lines))
