"""Training on labels that people gave: one rater's word, judged by what most raters say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from bench import Case, InvalidRun, Metric, Outcome, Preset, Score, Setup, TaskCard, Watched

from ..label_errors.vader_ratings import VaderRatings
from ._metrics import REFERENCES, REST
from ._task import NoisyLabelTask, held_out


class NoisyWords(VaderRatings):
    """2,500 words, each labelled negative, neutral or positive by one person; the problem of the
    task vader-ratings of label-errors, trained on and judged by test words that people agree on.
    """

    card: ClassVar = TaskCard(
        name="noisy-words",
        title="Words labelled by one person",
        track="noisy-labels",
        datasets=("vader",),
        inputs="table",
        libraries=("sklearn",),
        metrics=(
            Metric(
                name="acc_last",
                primary=True,
                unit="%",
                bounds=(0, 100),
                chance=54,
                title="accuracy after the last epoch, of the first net, on test words of which "
                "seven of ten people say the same",
            ),
            *REST,
        ),
        presets={
            "smoke": Preset(
                variants={"human": {"noise": "human"}},
                params={"n_train": 300, "epochs": 5},
                seeds=1,
                timeout=60,
            ),
            "default": Preset(
                variants={"human": {"noise": "human"}},
                params={"n_train": 2500},
                seeds=5,
                timeout=300,
            ),
        },
        budget="60 epochs of batch 128; each net of a method costs its own passes",
        offers={"noise-rate": {}},
        tuning={"holdout": 0.2},
        references=REFERENCES,
    )

    def prepare(self, run: Setup) -> Case:
        """Take the problem of vader-ratings.

        Raises:
            InvalidRun: other noise than that of people is asked for.
        """
        if self.noise != "human":
            raise InvalidRun(
                f"noisy-words has the labels that people gave, and noise={self.noise} would not "
                "change them; leave it out, or take noisy-digits for made noise."
            )
        case = super().prepare(run)
        if not self.holdout:
            return case
        problem, truth = case.problems[0], case.hidden.y_true
        return held_out(problem, self.holdout, truth, run.numpy_generator("split", "holdout"))

    def watch(self, case: Case, k: int, step: int, model: Any) -> Watched:
        """Score an epoch as the other tasks of noisy labels do."""
        return NoisyLabelTask.watch(self, case, k, step, model)

    def evaluate(self, case: Case, outcomes: Sequence[Outcome], run: Setup) -> Score:
        """Score the final model as the other tasks of noisy labels do."""
        return NoisyLabelTask.evaluate(self, case, outcomes, run)
