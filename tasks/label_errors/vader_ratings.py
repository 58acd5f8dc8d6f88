"""Label errors that people made: one rater's word against nine others'."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
import torch

from bench import Case, Meta, Preset, Setup, TaskCard
from bench.tracks.noisy_labels import Problem
from bench.training.data import standardised

from ..noisy_labels._task import Hidden
from ._metrics import METRICS, REFERENCES
from ._task import LabelErrorTask

WIDTH = 256
TEST_PEOPLE = 7
"""How many of ten must agree on a test token."""


class VaderRatings(LabelErrorTask):
    """Is a word negative, neutral or positive?

    The label is one person's, the truth what most of nine others say.
    """

    card: ClassVar = TaskCard(
        name="vader-ratings",
        title="Words labelled by one person, judged by nine",
        track="label-errors",
        datasets=("vader",),
        libraries=("sklearn",),
        metrics=METRICS,
        presets={
            "smoke": Preset(
                variants={"one-rater": {}},
                params={"n_train": 400, "epochs": 5},
                seeds=1,
                timeout=60,
            ),
            "default": Preset(
                variants={"one-rater": {}},
                params={"n_train": 2500, "epochs": 10},
                seeds=3,
                timeout=600,
            ),
        },
        budget="the passes of the task's protocol for each net; out-of-fold probabilities are "
        "charged to who asks for them",
        offers={"noise-rate": {}},
        references=REFERENCES,
    )
    source: ClassVar = "vader"
    n_test: ClassVar = 2000

    people: Annotated[int, Meta(ge=5, le=9)] = 6
    """How many of the nine must agree on the sign for a token to be kept;
    of the others nobody knows the truth.
    """

    def prepare(self, run: Setup) -> Case:
        """Draw the test tokens and a person for each other token; take the sign of that rating as
        the label and the majority of the nine others as the truth.
        """
        data = run.dataset(self.source)
        # of a token that comes twice the first
        first = np.unique(np.array(data.texts), return_index=True)[1]
        order = run.numpy_generator("split").permutation(np.sort(first))
        signs = np.sign(data.ratings.cpu().numpy()).astype(np.int64)
        test, train = order[: self.n_test], order[self.n_test :]
        counts = _counts(signs[test])
        test, y_test = (
            test[counts.max(1) >= TEST_PEOPLE],
            counts.argmax(1)[counts.max(1) >= TEST_PEOPLE],
        )
        person = run.numpy_generator("corruption").integers(0, signs.shape[1], len(train))
        given = signs[train, person] + 1
        counts = _counts(signs[train])
        counts[np.arange(len(train)), given] -= 1
        kept = np.flatnonzero(counts.max(1) >= self.people)
        kept = kept[: self.n_train] if self.n_train else kept
        x, x_test = standardised(
            *(
                torch.from_numpy(_features([data.texts[row] for row in rows])[:, None]).to(
                    data.ratings.device
                )
                for rows in (train[kept], test)
            )
        )
        y, truth = (
            torch.from_numpy(labels[kept]).to(x.device) for labels in (given, counts.argmax(1))
        )
        problem = Problem(
            x=x,
            y=y,
            n_classes=3,
            widths=self.widths,
            epochs=self.epochs,
            batch_size=self.batch_size,
            lr=self.lr,
            momentum=self.momentum,
            weight_decay=self.weight_decay,
            noise_rate=float((y != truth).float().mean()),
        )
        return Case(
            problems=[problem], hidden=Hidden(x_test, torch.from_numpy(y_test).to(x.device), truth)
        )


def _counts(signs: np.ndarray) -> np.ndarray:
    """Return how many people say negative, neutral, positive: (n, 3)."""
    return np.stack([(signs == sign).sum(1) for sign in (-1, 0, 1)], 1)


def _features(texts: list[str]) -> np.ndarray:
    """Return signed hashed counts of the groups of 2 to 4 letters of each
    text, of length one: (n, 256) float32.
    """
    from sklearn.feature_extraction.text import HashingVectorizer

    hashing = HashingVectorizer(
        analyzer="char_wb", ngram_range=(2, 4), n_features=WIDTH, norm="l2", dtype=np.float32
    )
    found: np.ndarray = hashing.transform(texts).toarray()
    return found
