"""Rated sentences of film reviews, from the source archive of the package vaderSentiment."""

from __future__ import annotations

import io
import re
import tarfile
from pathlib import Path
from typing import ClassVar

import torch

from bench import Dataset, DatasetCard, DataUnavailable, Setup
from bench.runs.inputs import data_root
from bench.tracks.weak_supervision import Sentences

from .snippets import ARCHIVE, GET, INNER

_RATED = "hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt"
_LEXICON = "vaderSentiment-3.3.2/vaderSentiment/vader_lexicon.txt"
_WORD = re.compile(r"[a-z]+(?:'[a-z]+)?")


class ReviewSentences(Dataset):
    """Sentences of film reviews with the mean of fifteen to twenty people's ratings."""

    card: ClassVar = DatasetCard(
        name="review-sentences",
        title="Rated sentences of film reviews (Hutto and Gilbert 2014)",
        licence="MIT, of the package; none is named for the sentences, which stay on the machine",
        source="PyPI, source archive of vaderSentiment 3.3.2, hutto_ICWSM_2014.tar.gz",
        size="10,603 sentences of 19 words, mean ratings from -4 to 4; 2.5 MB",
        had="local",
        get="pip download --no-deps --no-binary vaderSentiment vaderSentiment==3.3.2 "
        "-d $BENCH_DATA/snippets",
        fingerprint="feb0c6625e98d0d7c9758c4ad335ed612904e0bcb8b3cc18183a47b1770349c5",
        bibtex="""@inproceedings{hutto2014vader,
  title = {VADER: A Parsimonious Rule-based Model for Sentiment Analysis of Social Media Text},
  author = {Hutto, C. J. and Gilbert, Eric},
  booktitle = {ICWSM},
  year = {2014}
}""",
    )

    def load(self, run: Setup) -> Sentences:
        """Return the sentences, each once, with their ratings and the sums of the valences that the
        package's lexicon gives their words.

        Raises:
            DataUnavailable: the archive is not on this machine, or can't be read; the message says
                how to get it.
        """
        file = data_root() / "snippets" / ARCHIVE
        if not file.is_file():
            raise DataUnavailable(
                f"the dataset 'review-sentences' is not on this machine; run '{GET} {file.parent}' "
                "(2.5 MB)."
            )
        rated, lexicon = _read(file)
        sums = [sum(lexicon.get(word, 0.0) for word in words_of(text)) for text in rated]
        return Sentences(
            tuple(rated),
            torch.tensor(list(rated.values()), dtype=torch.float32),
            torch.tensor(sums, dtype=torch.float32),
        )


def words_of(text: str) -> list[str]:
    """Return the words of a text in lower case."""
    return _WORD.findall(text.lower())


def _read(file: Path) -> tuple[dict[str, float], dict[str, float]]:
    """Return the rating of each sentence, of equal ones that of the first, and the valence of each
    word.
    """
    try:
        with tarfile.open(file) as outer:
            lexicon = dict(_rows(outer, _LEXICON, (0, 1)))
            packed = outer.extractfile(INNER)
            assert packed is not None, f"{INNER} is a folder"
            with tarfile.open(fileobj=io.BytesIO(packed.read())) as inner:
                found: dict[str, float] = {}
                for text, rating in _rows(inner, _RATED, (2, 1)):
                    found.setdefault(text, rating)
    except Exception as error:  # a damaged archive raises whatever its reader meets first
        reason = (str(error).strip().splitlines() or [""])[0][:160]
        raise DataUnavailable(
            f"{str(file)!r} could not be read as the source archive of vaderSentiment 3.3.2 "
            f"({type(error).__name__}: {reason}); remove it and run '{GET} {file.parent}'."
        ) from None
    return found, lexicon


def _rows(archive: tarfile.TarFile, name: str, columns: tuple[int, int]) -> list[tuple[str, float]]:
    packed = archive.extractfile(name)
    assert packed is not None, f"{name} is a folder"
    lines = [line.split("\t") for line in packed.read().decode("utf-8").splitlines() if line]
    return [(line[columns[0]].strip(), float(line[columns[1]])) for line in lines]
