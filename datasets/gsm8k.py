"""GSM8K, from a local copy or the Hugging Face hub."""

from __future__ import annotations

from typing import ClassVar, Literal

from bench import Dataset, DatasetCard, Setup
from bench.tracks.policy_optimization.answers import Questions
from bench.training.hub import Source, texts

SOURCE = Source(name="gsm8k", repo="openai/gsm8k", config="main")


class Gsm8k(Dataset):
    """Word problems of grade school with worked solutions; the answer is a number."""

    card: ClassVar = DatasetCard(
        name="gsm8k",
        title="GSM8K",
        licence="MIT",
        source="arXiv:2110.14168; openai/gsm8k on the Hugging Face hub",
        size="7,473 training and 1,319 test problems; 5 MB",
        had="hub",
        libraries=("datasets",),
        paper="arXiv:2110.14168",
    )
    split: Literal["train", "test"] = "train"
    """Which part."""

    def load(self, run: Setup) -> Questions:
        """Return questions, and what stands behind ``####`` in their solutions."""
        rows = texts(SOURCE, self.split, ("question", "answer"))
        return Questions(
            tuple(question for question, _ in rows),
            tuple(solution.rpartition("####")[2].strip() for _, solution in rows),
        )
