"""What tasks with a language model share: the protocol as parameters, reports, scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec
import torch

from bench import Case, Meta, Metric, Outcome, Run, Score, Setup, Task, Watched
from bench.tracks.policy_optimization import Counters, Policy, Protocol, Solution
from bench.tracks.policy_optimization.answers import Questions, check
from bench.tracks.policy_optimization.language import LanguageProblem
from bench.tracks.policy_optimization.language_model import LanguageModel
from bench.training.state import streams

from ._metrics import pass_at
from ._pictures import progress, solutions

METRICS = (
    Metric(
        name="mean_test",
        primary=True,
        unit="%",
        bounds=(0, 100),
        title="share of right answers drawn at temperature 1, held-out questions",
    ),
    Metric(
        name="tokens_forwarded",
        direction="min",
        bounds=(0, None),
        title="completion tokens of selected rollouts: what the update computes",
    ),
    Metric(
        name="wall_s",
        clock=True,
        direction="min",
        unit="s",
        bounds=(0, None),
        title="seconds of generation, selection and update; one machine only",
    ),
    Metric(
        name="greedy_test",
        unit="%",
        bounds=(0, 100),
        title="right most likely answers, held-out questions",
    ),
    Metric(
        name="pass_test",
        unit="%",
        bounds=(0, 100),
        title="held-out questions with a right answer among those drawn",
    ),
    Metric(
        name="tokens_in_loss",
        direction="none",
        bounds=(0, None),
        title="tokens of weight above 0; no measure of computing",
    ),
    Metric(
        name="useful_row_rate",
        direction="none",
        unit="%",
        bounds=(0, 100),
        title="selected rollouts whose advantage is not 0",
    ),
    Metric(
        name="tokens_nonzero",
        direction="none",
        bounds=(0, None),
        title="tokens in the loss whose advantage is not 0",
    ),
    Metric(
        name="tokens_generated", direction="none", bounds=(0, None), title="tokens of all rollouts"
    ),
    Metric(name="rollouts", direction="none", bounds=(0, None), title="rollouts generated"),
    Metric(name="optimizer_steps", direction="none", bounds=(0, None), title="optimiser steps"),
    Metric(
        name="skipped_steps", direction="none", bounds=(0, None), title="batches without an update"
    ),
    Metric(
        name="generated_per_s",
        clock=True,
        direction="none",
        bounds=(0, None),
        title="tokens generated a second of generation",
    ),
    Metric(
        name="trained_per_s",
        clock=True,
        direction="none",
        bounds=(0, None),
        title="tokens passed forward and backward a second of updating",
    ),
    Metric(
        name="gen_s",
        clock=True,
        direction="none",
        unit="s",
        bounds=(0, None),
        title="seconds of generation",
    ),
    Metric(
        name="select_s",
        clock=True,
        direction="none",
        unit="s",
        bounds=(0, None),
        title="seconds of selection, with its forward passes",
    ),
    Metric(
        name="update_s",
        clock=True,
        direction="none",
        unit="s",
        bounds=(0, None),
        title="seconds of updates",
    ),
)


class LanguageTask(Task, frozen=True, kw_only=True):
    """Improve a language model by TRL's trainer; how many rollouts, how long, how fast."""

    steps: Annotated[int, Meta(ge=1)] = 100
    """Rollout batches."""
    prompts: Annotated[int, Meta(ge=1)] = 8
    """Prompts of a batch."""
    group: Annotated[int, Meta(ge=2)] = 16
    """Rollouts of a prompt."""
    max_new: Annotated[int, Meta(ge=1)] = 64
    """Most tokens of a rollout."""
    minibatches: Annotated[int, Meta(ge=1)] = 2
    """Optimiser steps of a batch."""
    lr: Annotated[float, Meta(gt=0)] = 1e-5
    """Learning rate of AdamW."""
    kl: Annotated[float, Meta(ge=0)] = 0.0
    """Weight of the divergence from the model at the start."""
    token_budget: Annotated[int, Meta(ge=0)] = 0
    """Stop once this many tokens were in the loss; 0: when the steps are over."""
    report_every: Annotated[int, Meta(ge=1)] = 10
    """Steps between two points of the curve."""
    passes: Annotated[int, Meta(ge=1)] = 16
    """Most rows of one forward and backward pass."""
    lora: Annotated[int, Meta(ge=0)] = 0
    """Rank of the adapters that are trained; 0: the model itself."""
    recompute: bool = False
    """Compute activations again in the backward pass: less memory, more time."""
    engine: Literal["transformers", "vllm"] = "transformers"
    """What generates."""
    n_held_out: Annotated[int, Meta(ge=1)] = 128
    """Held-out questions."""
    n_watched: Annotated[int, Meta(ge=0)] = 32
    """Of those the first that reports look at."""
    samples: Annotated[int, Meta(ge=1)] = 4
    """Answers drawn for each held-out question at the end."""

    def case(
        self, training: Questions, held_out: Questions, *, source: str, gguf: str = "", chat: bool
    ) -> Case:
        """Return the case of some questions."""
        protocol = Protocol(
            **{
                name: getattr(self, name)
                for name in Protocol.__struct_fields__
                if name in self.schema()
            }
        )
        shared = {name: getattr(self, name) for name in ("passes", "lora", "recompute", "engine")}
        problem = LanguageProblem(
            source=source,
            gguf=gguf,
            questions=training.questions,
            answers=training.answers,
            verify=check,
            chat=chat,
            protocol=protocol,
            **shared,
        )
        return Case(
            problems=[problem],
            hidden=Questions(
                held_out.questions[: self.n_held_out], held_out.answers[: self.n_held_out]
            ),
        )

    def watch(self, case: Case, k: int, step: int, model: Policy) -> Watched:
        """Score one answer to each of the first held-out questions, beside what was used so far."""
        used, mean = model.used, None
        if self.n_watched:
            with streams(0):
                mean = 100 * float(self._right(case, model.model, 1, self.n_watched).mean())
        return Watched(
            {
                "mean2": mean,
                "tokens_in_loss": used.tokens_in_loss,
                "tokens_forwarded": used.tokens_forwarded,
                "wall_s": used.wall_s,
            }
        )

    def evaluate(self, case: Case, outcomes: Sequence[Outcome], run: Setup) -> Score:
        """Score the last model on the held-out questions."""
        solution, curve = outcomes[0].solution, outcomes[0].curve
        model, used = solution.model, solution.used
        right, likely = self._right(case, model, self.samples), self._right(case, model, 0)
        metrics: dict[str, float | None] = {
            name: getattr(used, name)
            for name in (*Counters.__struct_fields__, "wall_s")
            if name != "flops" and not name.startswith("rows_")  # TRL does not count operations
        }
        metrics |= {
            "mean_test": 100 * float(right.mean()),
            "greedy_test": 100 * float(likely.mean()),
            "pass_test": 100 * float(pass_at(right, self.samples).mean()),
            "useful_row_rate": 100 * used.rows_useful / used.rows_selected
            if used.rows_selected
            else None,
            "generated_per_s": used.tokens_generated / used.gen_s if used.gen_s else None,
            "trained_per_s": used.tokens_forwarded / used.update_s if used.update_s else None,
        }
        seen = [entry for entry in curve if entry.get("mean2") is not None]
        return Score(
            metrics=metrics,
            images=progress(seen)
            | {f"step-{one.step}": solutions(one, model.letters) for one in solution.shown},
        )

    def keep_the_model(self, problem: LanguageProblem, hidden: Any, run: Run) -> Solution:
        """The control: no training at all."""
        return Solution(model=problem.policy(run.device), used=Counters())

    def _right(
        self, case: Case, model: LanguageModel, samples: int, first: int | None = None
    ) -> torch.Tensor:
        """Return which answers to the held-out questions are right, (n,
        samples); one that did not end is not.
        """
        problem, asked, known = (
            case.problems[0],
            case.hidden.questions[:first],
            case.hidden.answers[:first],
        )
        found = model.answers(
            [problem.prompt(question) for question in asked], new=self.max_new, samples=samples
        )
        rows = [
            [check(text, answer) * ended for text, ended in texts]
            for texts, answer in zip(found, known, strict=True)
        ]
        return torch.tensor(rows, dtype=torch.float32).view(len(rows), -1)


def apart(whole: Questions, held_out: Questions) -> Questions:
    """Return the questions that are not held out."""
    forbidden = set(held_out.questions)
    kept = [
        pair
        for pair in zip(whole.questions, whole.answers, strict=True)
        if pair[0] not in forbidden
    ]
    return msgspec.structs.replace(
        whole,
        questions=tuple(question for question, _ in kept),
        answers=tuple(answer for _, answer in kept),
    )
