"""MATH, from a local copy or the Hugging Face hub."""

from __future__ import annotations

from typing import ClassVar, Literal

from bench import Dataset, DatasetCard, Setup
from bench.tracks.policy_optimization.answers import Questions, boxed
from bench.training.hub import Source, texts

SOURCE = Source(name="competition-math", repo="DigitalLearningGmbH/MATH-lighteval")


class CompetitionMath(Dataset):
    """Problems of mathematics competitions with worked solutions; the answer is boxed."""

    card: ClassVar = DatasetCard(
        name="competition-math",
        title="MATH",
        licence="MIT",
        source="arXiv:2103.03874; any copy with the fields 'problem' and 'solution'",
        size="7,500 training and 5,000 test problems; 10 MB",
        had="hub",
        libraries=("datasets",),
        paper="arXiv:2103.03874",
    )
    split: Literal["train", "test"] = "train"
    """Which part."""

    def load(self, run: Setup) -> Questions:
        """Return questions, and what is in the last box of their
        solutions; a problem without a box is left out.
        """
        rows = [
            (question, boxed(solution))
            for question, solution in texts(SOURCE, self.split, ("problem", "solution"))
        ]
        known = [(question, answer) for question, answer in rows if answer is not None]
        return Questions(
            tuple(question for question, _ in known), tuple(answer for _, answer in known)
        )
