"""Sentences of film reviews, and the answers of a language model as sources (arXiv:2205.02318)."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import numpy as np

from bench import Meta, Preset, Setup, TaskCard

from ._answers import EMPTY, QUESTIONS, log_odds, votes_of_odds
from ._metrics import METRICS, REFERENCES
from ._words import NAMES, votes_of
from .weak_reviews import WeakReviews


class WeakAnswers(WeakReviews):
    """The sentences of ``weak-reviews``. Five sources ask a language model about each; in
    ``both`` they stand beside the lists of words.
    """

    card: ClassVar = TaskCard(
        name="weak-answers",
        title="Film reviews by a language model's answers",
        track="weak-supervision",
        datasets=("review-sentences", "smollm2-135m"),
        inputs="table",
        libraries=("scipy", "sklearn", "transformers", "gguf"),
        metrics=METRICS,
        presets={
            "smoke": Preset(
                variants={"prompts": {}},
                params={"n_train": 40, "n_test": 400, "vocabulary": 100, "n_dev": 20},
                seeds=1,
                timeout=600,
            ),
            "extended": Preset(
                variants={"prompts": {}, "both": {"sources": "both"}}, seeds=5, timeout=28800
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
    """Share of the sentences that a source says nothing of, those nearest to its centre."""
    centre: Literal["median", "empty"] = "median"
    """From which log odds of its two answers on a source says good: their median over the training
    rows, or their mean over three texts without content (arXiv:2102.09690).
    """

    def _votes(
        self, run: Setup, texts: list[str], lexicon: np.ndarray
    ) -> tuple[np.ndarray, tuple[str, ...]]:
        """Return what the sources say of the training rows (N, m), and their names."""
        # all seeds share the answers about all sentences; a few rows are asked about alone
        every = list(texts if self.n_train else run.dataset("review-sentences").texts)
        odds = log_odds(run, [*every, *EMPTY]).cpu().numpy()
        place = {text: row for row, text in enumerate(every)}
        own = odds[[place[text] for text in texts]]
        empty = odds[len(every) :].mean(0)
        centre = np.median(own, axis=0) if self.centre == "median" else empty
        votes = votes_of_odds(own, centre, self.silent)
        if self.sources == "prompts":
            return votes, tuple(QUESTIONS)
        return np.concatenate([votes_of(texts, lexicon), votes], 1), (*NAMES, *QUESTIONS)
