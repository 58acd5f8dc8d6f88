"""Sentences of film reviews, and prompts as sources: nearness in word vectors stands in for the
answers of a language model (arXiv:2205.02318).
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import numpy as np

from bench import Meta, Preset, Setup, TaskCard

from ._metrics import METRICS, REFERENCES
from ._prompts import PROMPTS, prompted
from ._words import NAMES, votes_of
from .weak_reviews import WeakReviews


class WeakPrompts(WeakReviews):
    """The sentences of ``weak-reviews``. Five sources compare each with the texts of two prompts, a
    good and a bad opinion; in ``both`` they stand beside the lists of words.
    """

    card: ClassVar = TaskCard(
        name="weak-prompts",
        title="Film reviews by nearness to prompts",
        track="weak-supervision",
        datasets=("review-sentences", "word-vectors"),
        inputs="table",
        libraries=("scipy", "sklearn", "tokenizers"),
        metrics=METRICS,
        presets={
            "smoke": Preset(
                variants={"prompts": {}},
                params={"n_train": 600, "n_test": 400, "vocabulary": 300},
                seeds=1,
                timeout=120,
            ),
            "extended": Preset(
                variants={"prompts": {}, "both": {"sources": "both"}}, seeds=5, timeout=600
            ),
        },
        budget="the votes as they are; methods choose how often they pass over them",
        offers={"class-prior": {}, "dev-labels": {}},
        references=REFERENCES,
        paper="arXiv:2205.02318",
    )
    sources: Literal["prompts", "both"] = "prompts"
    """Prompts alone, or the lists of words too."""
    silent: Annotated[float, Meta(ge=0, lt=1)] = 0.3
    """Share of the sentences that a prompt says nothing of, those that are about as near to both of
    its texts.
    """

    def _votes(
        self, run: Setup, texts: list[str], lexicon: np.ndarray
    ) -> tuple[np.ndarray, tuple[str, ...]]:
        """Return what the sources say of the training rows (N, m), and their names."""
        votes = prompted(run.dataset("word-vectors"), texts, self.silent)
        if self.sources == "prompts":
            return votes, tuple(PROMPTS)
        return np.concatenate([votes_of(texts, lexicon), votes], 1), (*NAMES, *PROMPTS)
