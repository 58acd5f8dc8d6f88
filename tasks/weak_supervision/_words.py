"""Sources that read words: lists, a lexicon, and marks of a sentence. They were written down before
any label was looked at.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

BAD, GOOD = 0, 1
_WORD = re.compile(r"[a-z]+(?:'[a-z]+)?")
LISTS: dict[str, tuple[int, str]] = {
    "praise": (
        GOOD,
        "good great excellent wonderful best brilliant superb terrific fine amazing perfect "
        "perfectly outstanding remarkable masterpiece impressive splendid",
    ),
    "delight": (
        GOOD,
        "fun funny funniest enjoy enjoyable entertaining entertainment entertains delightful "
        "delight charming charm hilarious pleasure amusing laughs engaging likable witty",
    ),
    "feeling": (
        GOOD,
        "moving touching powerful beautiful beautifully gorgeous heartfelt warm warmth love lovely "
        "poignant tender emotional passion affecting humanity",
    ),
    "craft": (
        GOOD,
        "smart clever original fresh inventive compelling fascinating honest solid intelligent "
        "thoughtful insightful subtle rich imaginative provocative gripping",
    ),
    "blame": (
        BAD,
        "bad worst worse awful terrible poor poorly horrible lousy stupid ugly ridiculous dumb "
        "garbage trash painful unpleasant offensive",
    ),
    "boredom": (
        BAD,
        "dull boring bored tedious slow tired flat lifeless bland predictable tepid listless "
        "monotonous overlong repetitive sluggish uninteresting",
    ),
    "failure": (
        BAD,
        "fails fail failed failure mess lacks lack lacking disappointing disappointment contrived "
        "cliched cliches waste wasted forced unfunny pointless shallow",
    ),
    "negation": (
        BAD,
        "not no nothing never hardly barely without isn't doesn't don't can't won't wasn't neither "
        "nor cannot little",
    ),
}
"""Source -> what it says, and the words on which it says it."""
HIGH, LOW = 3.0, -1.0
"""Sums of the lexicon from which on a sentence is good, and up to which it is bad."""
NAMES = (*LISTS, "lexicon", "early but", "exclamation")


def votes_of(texts: Sequence[str], lexicon: np.ndarray) -> np.ndarray:
    """Return what the sources ``NAMES`` say of sentences (n, 11), -1 where they abstain.

    Args:
        texts: n sentences.
        lexicon: sums of the valences of their words (n,).
    """
    words = [_WORD.findall(text.lower()) for text in texts]
    columns = []
    for said, listed in LISTS.values():
        known = frozenset(listed.split())
        columns.append([said if known.intersection(own) else -1 for own in words])
    columns.append(np.where(lexicon >= HIGH, GOOD, np.where(lexicon <= LOW, BAD, -1)).tolist())
    # "effective but too tepid": what follows counts
    columns.append([BAD if "but" in own[: (len(own) + 1) // 2] else -1 for own in words])
    columns.append([GOOD if "!" in text else -1 for text in texts])
    return np.array(columns, dtype=np.int64).T
