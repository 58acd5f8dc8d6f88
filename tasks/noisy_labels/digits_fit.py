"""What a method fits that has nothing to learn: random labels, or inputs that are no pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

import msgspec
import torch

from bench import Case, Metric, Outcome, Preset, Score, Setup, TaskCard
from bench.training.state import predict

from ._metrics import REFERENCES
from ._pictures import percent
from ._task import NoisyLabelTask

VARIANTS = {
    "true-labels": {"noise": "sym", "rate": 0.0},
    "random-labels": {"noise": "sym_incl", "rate": 1.0},
    "shuffled-pixels": {"noise": "sym", "rate": 0.0, "pixels": "shuffled"},
    "random-pixels": {"noise": "sym", "rate": 0.0, "pixels": "random"},
}


class DigitsFit(NoisyLabelTask):
    """Digits with random labels, with one shuffle of the pixels for all, or with noise for
    pictures: how much of it a method fits, and what is left on the test part.
    """

    card: ClassVar = TaskCard(
        name="digits-fit",
        title="Digits with random labels or random pixels: what is fitted, never ranked",
        track="noisy-labels",
        datasets=("digits",),
        metrics=(
            Metric(
                name="fit",
                primary=True,
                direction="none",
                unit="%",
                bounds=(0, 100),
                title="training rows predicted as labelled, after the last epoch",
            ),
            Metric(
                name="acc_last",
                direction="none",
                unit="%",
                bounds=(0, 100),
                chance=10,
                title="test rows predicted right, of inputs changed in the same way",
            ),
            Metric(
                name="acc_val",
                direction="none",
                validation=True,
                unit="%",
                bounds=(0, 100),
                title="held-out training rows predicted as labelled",
            ),
        ),
        presets={
            "smoke": Preset(
                variants={"random-labels": {"noise": "sym_incl", "rate": 1.0}},
                params={"n_train": 300, "epochs": 5},
                seeds=1,
                timeout=60,
            ),
            "default": Preset(variants=VARIANTS, seeds=3, timeout=300),
        },
        budget="60 epochs of batch 128; each net of a method costs its own passes",
        offers={"noise-rate": {}},
        tuning={"holdout": 0.2},
        references=REFERENCES,
        paper="arXiv:1611.03530",
        bibtex="""@inproceedings{zhang2017understanding,
  title = {Understanding deep learning requires rethinking generalization},
  author = {Zhang, Chiyuan and Bengio, Samy and Hardt, Moritz and Recht, Benjamin and
    Vinyals, Oriol},
  booktitle = {ICLR},
  year = {2017},
  eprint = {1611.03530},
  archivePrefix = {arXiv}
}""",
    )
    source: ClassVar = "digits"
    n_test: ClassVar = 400

    pixels: Literal["as they are", "shuffled", "random"] = "as they are"
    """``shuffled``: one order of the pixels for all rows; ``random``: every value of every row is
    drawn from a Gaussian with the mean and standard deviation of the training rows.
    """

    def prepare(self, run: Setup) -> Case:
        """Split and corrupt as the noisy tasks do, then change the inputs of both parts."""
        case = super().prepare(run)
        generator = run.numpy_generator("corruption", "pixels")
        (problem,), hidden = case.problems, case.hidden
        order = torch.from_numpy(generator.permutation(problem.x[0].numel()))

        def changed(x: torch.Tensor) -> torch.Tensor:
            if self.pixels == "shuffled":
                return x.flatten(1)[:, order.to(x.device)].reshape(x.shape)
            if self.pixels == "random":
                # standardised inputs have mean 0 and standard deviation 1
                return torch.from_numpy(generator.standard_normal(x.shape)).to(x)
            return x

        return Case(
            problems=[msgspec.structs.replace(problem, x=changed(problem.x))],
            hidden=msgspec.structs.replace(hidden, x_test=changed(hidden.x_test)),
        )

    def evaluate(self, case: Case, outcomes: Sequence[Outcome], run: Setup) -> Score:
        """Say how much is fitted, and what the test part is taken for."""
        hidden, problem, model = case.hidden, case.problems[0], outcomes[0].solution.model
        accuracy = percent(predict(model, hidden.x_test).argmax(-1) == hidden.y_test)
        if self.holdout:
            return Score(
                metrics={"acc_val": accuracy},
                not_rankable="scored on held-out training rows by their given labels",
            )
        fit = percent(predict(model, problem.x).argmax(-1) == problem.y)
        return Score(
            metrics={"fit": fit, "acc_last": accuracy},
            not_rankable="what is fitted is measured; more of it is neither better nor worse",
        )
