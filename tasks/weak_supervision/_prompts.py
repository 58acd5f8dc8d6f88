"""Sources that hold a text against two prompts. They were written down before any label was looked
at.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.tracks.weak_supervision import WordVectors

from ._words import BAD, GOOD

PROMPTS = {
    "good film": ("This is a good film.", "This is a bad film."),
    "recommend": ("I recommend this movie to everyone.", "Do not waste your time on this movie."),
    "review": ("The review is positive and full of praise.", "The review is negative and harsh."),
    "enjoyed": ("The audience enjoyed it and laughed.", "The audience was bored and annoyed."),
    "work": (
        "A brilliant, moving and original work.",
        "A dull, clumsy and predictable work.",
    ),
}
"""Source -> what a good and what a bad opinion would be nearer to."""


def prompted(vectors: WordVectors, texts: Sequence[str], silent: float) -> np.ndarray:
    """Return what the sources say of texts (n, 5), -1 where they abstain: a source orders the texts
    by how much nearer they are to its first prompt than to its second, says good of the first ones,
    bad of the last ones, and nothing of those in the middle.

    Args:
        vectors: of pieces of words.
        texts: n texts.
        silent: share of the texts that a source abstains on, in [0, 1).
    """
    own = _embedded(vectors, texts)
    good, bad = (_embedded(vectors, [pair[side] for pair in PROMPTS.values()]) for side in (0, 1))
    nearer = own @ (good - bad).T
    low, high = np.quantile(nearer, ((1 - silent) / 2, (1 + silent) / 2), axis=0)
    return np.where(nearer > high, GOOD, np.where(nearer < low, BAD, -1))


def _embedded(vectors: WordVectors, texts: Sequence[str]) -> np.ndarray:
    """Return the mean vector of the pieces of each text, of length 1 (n, d)."""
    from tokenizers import Tokenizer

    cut = Tokenizer.from_str(vectors.tokenizer)
    table = vectors.vectors.double().cpu().numpy()
    pieces = cut.encode_batch(list(texts), add_special_tokens=False)
    means = np.stack([table[one.ids or [0]].mean(0) for one in pieces])
    unit: np.ndarray = means / np.linalg.norm(means, axis=1, keepdims=True).clip(1e-12)
    return unit
