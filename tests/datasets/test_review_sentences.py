"""Rated sentences: read from a small archive of the same form, and, where it is on this machine,
the real one.
"""

import pytest
import torch
from bench.builtin.datasets.review_sentences import ReviewSentences
from bench.builtin.datasets.snippets import ARCHIVE, INNER
from test_snippets import packed

from bench import DataUnavailable
from bench.runs.context import Setup
from bench.runs.guard import fingerprint

LEXICON = "vaderSentiment-3.3.2/vaderSentiment/vader_lexicon.txt"
RATED = "hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt"


@pytest.fixture
def loaded(tmp_path, monkeypatch):
    """Load the dataset from the folder of this test."""
    monkeypatch.setenv("BENCH_DATA", str(tmp_path))

    def load():
        run = Setup(seed=0, task="t", method="m", device=torch.device("cpu"), workdir=tmp_path)
        return ReviewSentences().load(run)

    return load


def test_a_sentence_counts_once_with_its_rating_and_the_valences_of_its_words(loaded, tmp_path):
    rows = "1\t2.5\tA GOOD, good film\r\n2\t-1\tso dull\r\n3\t0.5\tso dull\r\n"
    inner = packed({RATED: rows.encode()})
    lexicon = b"good\t1.9\t0.9\t[2, 1]\ndull\t-1.7\t0.4\t[-2]\n"
    (tmp_path / "snippets").mkdir()
    (tmp_path / "snippets" / ARCHIVE).write_bytes(packed({INNER: inner, LEXICON: lexicon}))
    data = loaded()
    assert data.texts == ("A GOOD, good film", "so dull")
    assert data.rating.tolist() == [2.5, -1]
    assert data.lexicon.tolist() == pytest.approx([3.8, -1.7])


def test_without_the_archive_a_sentence_says_how_to_have_it(loaded, tmp_path):
    with pytest.raises(DataUnavailable, match=rf"pip download .* -d {tmp_path}/snippets"):
        loaded()


def test_an_archive_without_the_ratings_is_refused_with_a_sentence(loaded, tmp_path):
    (tmp_path / "snippets").mkdir()
    (tmp_path / "snippets" / ARCHIVE).write_bytes(packed({INNER: packed({})}))
    with pytest.raises(DataUnavailable, match="could not be read as the source archive"):
        loaded()


def test_the_real_ratings_are_those_whose_fingerprint_the_card_pins(real):
    data = real(ReviewSentences())
    assert fingerprint(data) == ReviewSentences.card.fingerprint
    assert int((data.rating.abs() >= 0.5).sum()) == 10_070
