"""Sentences of film reviews, and lists of words as sources."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
import torch

from bench import InvalidRun, Meta, Preset, Setup, TaskCard

from ._metrics import METRICS, REFERENCES
from ._task import Voted, WeakTask
from ._words import NAMES, votes_of


class WeakReviews(WeakTask):
    """Is a sentence of a film review a good or a bad opinion? Eleven sources read its words; the
    label is the sign of the mean rating that people gave it.
    """

    card: ClassVar = TaskCard(
        name="weak-reviews",
        title="Film reviews by lists of words",
        track="weak-supervision",
        datasets=("review-sentences",),
        inputs="table",
        libraries=("scipy", "sklearn"),
        metrics=METRICS,
        presets={
            "smoke": Preset(
                variants={"rules": {}},
                params={"n_train": 600, "n_test": 400, "vocabulary": 300},
                seeds=1,
                timeout=120,
            ),
            "default": Preset(variants={"rules": {}}, seeds=5, timeout=600),
        },
        budget="the votes as they are; methods choose how often they pass over them",
        offers={"class-prior": {}, "dev-labels": {}},
        references=REFERENCES,
    )
    n_test: Annotated[int, Meta(ge=1)] = 2000
    """Test rows."""
    n_train: Annotated[int, Meta(ge=0)] = 0
    """Training rows; 0: all that are left."""
    clear: Annotated[float, Meta(gt=0)] = 0.5
    """Sentences whose mean rating is nearer to 0 are left out: people do not agree on them."""
    vocabulary: Annotated[int, Meta(ge=1)] = 2000
    """Most words of the inputs, the most frequent ones of the training rows."""
    least: Annotated[int, Meta(ge=1)] = 3
    """Fewest training rows with a word of the inputs."""

    def voted(self, run: Setup) -> Voted:
        """Split, count words, and let the sources vote."""
        data = run.dataset("review-sentences")
        rating = data.rating.numpy()
        order = run.numpy_generator("split").permutation(np.flatnonzero(abs(rating) >= self.clear))
        test, rest = order[: self.n_test], order[self.n_test :]
        train = rest[: self.n_train or None]
        if not len(train) or len(train) < self.n_train:
            raise InvalidRun(
                f"n_test={self.n_test} and n_train={self.n_train} are more than the {len(order)} "
                "sentences; take fewer"
            )
        x, x_test = self._words([data.texts[i] for i in train], [data.texts[i] for i in test])
        votes, names = self._votes(run, [data.texts[i] for i in train], data.lexicon.numpy()[train])
        good = torch.from_numpy((rating > 0).astype(np.int64))
        return Voted(
            x=x,
            y=good[torch.from_numpy(train)],
            votes=torch.from_numpy(votes),
            x_test=x_test,
            y_test=good[torch.from_numpy(test)],
            names=names,
            classes=2,
        )

    def _votes(
        self, run: Setup, texts: list[str], lexicon: np.ndarray
    ) -> tuple[np.ndarray, tuple[str, ...]]:
        """Return what the sources say of the training rows (N, m), and their names."""
        return votes_of(texts, lexicon), NAMES

    def _words(self, train: list[str], test: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
        """Return TF-IDF weights of the words (N, D) and (T, D), of length 1, from the training
        rows alone; columns without a word are 0.
        """
        from sklearn.feature_extraction.text import TfidfVectorizer

        weigh = TfidfVectorizer(
            min_df=self.least, max_features=self.vocabulary, dtype=np.float32
        ).fit(train)
        # as many columns whatever the seed, so that seeds stack
        missing = self.vocabulary - len(weigh.vocabulary_)
        own, other = (
            np.pad(weigh.transform(part).toarray(), ((0, 0), (0, missing)))
            for part in (train, test)
        )
        return torch.from_numpy(own), torch.from_numpy(other)
