"""Clock arithmetic: a small language in which answers can be checked."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

import msgspec
import numpy as np
import torch

from bench import Case, Meta, Outcome, Preset, Reference, Run, Score, Setup, Task, TaskCard, Watched
from bench.declared import Array
from bench.tracks.policy_optimization import Counters, Policy, PolicyProblem, Protocol, Solution
from bench.training.decoder import DecoderShape

from ._arithmetic import (
    END,
    PAD,
    VOCABULARY,
    Splits,
    draw_splits,
    draw_training,
    letters,
    verify,
)
from ._held_out import LONGEST, HeldOut, answered, answered_greedily, encoded
from ._metrics import METRICS, area, pass_at, reached
from ._pictures import progress, solutions
from ._warm import warm_start

SPLIT_SEED = 12345
"""The held-out problems are the same for every seed; seeds differ in warm start, training prompts,
their order and the luck of the rollouts.
"""


class Hidden(msgspec.Struct, frozen=True):
    """What no method sees."""

    splits: dict[str, HeldOut]
    skilled: Annotated[dict[str, torch.Tensor], Array(..., dtype="float")]


class ClockArithmetic(Task):
    """Work out small problems modulo ten; a reward only for the right digit at the end."""

    card: ClassVar = TaskCard(
        name="clock-arithmetic",
        title="Clock arithmetic with worked steps",
        track="policy-optimization",
        metrics=METRICS,
        presets={
            "smoke": Preset(
                variants={"rollouts": {}},
                params={
                    "steps": 6,
                    "skill_steps": 120,
                    "habit_steps": 20,
                    "prompts": 4,
                    "group": 8,
                    "n_held_out": 32,
                    "report_every": 3,
                },
                seeds=1,
                timeout=120,
            ),
            "default": Preset(
                variants={"rollouts": {}, "tokens10k": {"token_budget": 10_000}},
                seeds=3,
                timeout=300,
            ),
            "paper": Preset(
                variants={"rollouts": {}},
                params={
                    "width": 256,
                    "layers": 6,
                    "heads": 8,
                    "prompts": 64,
                    "steps": 200,
                    "samples": 8,
                },
                seeds=3,
                timeout=7200,
            ),
        },
        test_set="fixed",
        budget="40 batches of 8 prompts with 16 rollouts each; in tokens10k at most 10,000 "
        "tokens in the loss",
        lengths_vary=True,
        references=(
            Reference(name="grpo", kind="low"),
            Reference(
                name="warm-start",
                kind="control",
                title="The policy that every method starts from",
                solve="keep_the_warm_start",
            ),
            Reference(
                name="skilled",
                kind="high",
                title="The policy before it learned bad habits",
                solve="take_the_skilled",
            ),
        ),
    )

    steps: Annotated[int, Meta(ge=1)] = 40
    """Rollout batches."""
    prompts: Annotated[int, Meta(ge=1)] = 8
    """Prompts of a batch."""
    group: Annotated[int, Meta(ge=2)] = 16
    """Rollouts of a prompt."""
    max_new: Annotated[int, Meta(ge=3)] = 28
    """Most tokens of a rollout."""
    minibatches: Annotated[int, Meta(ge=1)] = 2
    """Optimiser steps of a batch."""
    lr: Annotated[float, Meta(gt=0)] = 3e-4
    """Learning rate of AdamW."""
    kl: Annotated[float, Meta(ge=0)] = 0.0
    """Weight of the divergence from the warm start."""
    token_budget: Annotated[int, Meta(ge=0)] = 0
    """Stop once this many tokens were in the loss; 0: when the steps are over."""
    report_every: Annotated[int, Meta(ge=1)] = 5
    """Steps between two points of the curve."""
    width: Annotated[int, Meta(ge=8)] = 64
    """Of the decoder; a multiple of the heads."""
    layers: Annotated[int, Meta(ge=1)] = 2
    """Blocks of the decoder."""
    heads: Annotated[int, Meta(ge=1)] = 4
    """Attention heads."""
    skill_steps: Annotated[int, Meta(ge=1)] = 1500
    """Steps of the warm start on right answers."""
    habit_steps: Annotated[int, Meta(ge=1)] = 120
    """Steps of the warm start on answers of mixed quality."""
    n_prompts: Annotated[int, Meta(ge=1)] = 2048
    """Training prompts."""
    n_held_out: Annotated[int, Meta(ge=1)] = 256
    """Problems of each held-out split."""
    samples: Annotated[int, Meta(ge=1)] = 4
    """Answers drawn for each held-out problem at the end."""
    horizon_s: Annotated[float, Meta(gt=0)] = 6.0
    """Seconds over which ``auc_wall`` averages."""

    def prepare(self, run: Setup) -> Case:
        """Draw the held-out splits and the training prompts; take the warm
        start that all methods share.
        """
        shape = DecoderShape(
            vocabulary=VOCABULARY, width=self.width, layers=self.layers, heads=self.heads
        )
        held_out = draw_splits(np.random.Generator(np.random.PCG64(SPLIT_SEED)), self.n_held_out)
        recipe = {
            "task": "clock-arithmetic",
            "seed": run.seed,
            "shape": msgspec.to_builtins(shape),
            "skill": self.skill_steps,
            "habit": self.habit_steps,
            "held_out": self.n_held_out,
        }
        build = functools.partial(
            warm_start,
            shape=shape,
            held_out=held_out,
            skill_steps=self.skill_steps,
            habit_steps=self.habit_steps,
        )
        tensors, _ = run.cached(recipe, build)
        stage = {
            kind: {
                name.removeprefix(f"{kind}."): value
                for name, value in tensors.items()
                if name.startswith(kind)
            }
            for kind in ("warm", "skilled")
        }
        training = draw_training(run.numpy_generator("split"), self.n_prompts, held_out)
        ids, mask, answers = encoded(training)
        protocol = Protocol(
            **{
                name: getattr(self, name)
                for name in Protocol.__struct_fields__
                if name in self.schema()
            }
        )
        problem = PolicyProblem(
            shape=shape,
            warm=stage["warm"],
            prompts=ids,
            prompt_mask=mask,
            answers=answers,
            verify=verify,
            end=END,
            pad=PAD,
            protocol=protocol,
        )
        return Case(
            problems=[problem], hidden=Hidden(self._held_out(held_out, run), stage["skilled"])
        )

    def _held_out(self, splits: Splits, run: Setup) -> dict[str, HeldOut]:
        found = {}
        for name, problems in splits._asdict().items():
            luck = torch.rand(
                len(problems) * self.samples,
                LONGEST,
                generator=run.torch_generator("eval", name, device="cpu"),
            )
            found[name] = HeldOut(*(part.to(run.device) for part in (*encoded(problems), luck)))
        return found

    def watch(self, case: Case, k: int, step: int, model: Policy) -> Watched:
        """Score two answers to each of the first 128 test problems, beside what was used so far."""
        scores = answered(model.model, case.hidden.splits["test"], 2, 128)
        used = model.used
        return Watched(
            {
                "mean2": 100 * float(scores.mean()),
                "tokens_in_loss": used.tokens_in_loss,
                "tokens_forwarded": used.tokens_forwarded,
                "wall_s": used.wall_s,
            }
        )

    def evaluate(self, case: Case, outcomes: Sequence[Outcome], run: Setup) -> Score:
        """Score the last policy on every split, and the curve."""
        solution, curve = outcomes[0].solution, outcomes[0].curve
        model, used, splits = solution.model, solution.used, case.hidden.splits
        model.eval()
        metrics: dict[str, float | None] = {}
        for name, split in splits.items():
            right = answered(model, split, self.samples)
            metrics[f"mean_{name}"] = 100 * float(right.mean())
            metrics[f"greedy_{name}"] = 100 * float(answered_greedily(model, split).mean())
            if name == "test":
                metrics["pass_test"] = 100 * float(pass_at(right, self.samples).mean())
        metrics |= {
            f"drop_{name}": _minus(metrics["mean_test"], metrics[f"mean_{name}"])
            for name in ("simple", "hard")
        }
        metrics |= {
            "auc_tokens": area(
                [(entry["tokens_in_loss"], entry["mean2"]) for entry in curve],
                1e2,
                1e5,
                logarithmic=True,
            ),
            "tokens_to_75": reached(
                [(entry["tokens_in_loss"], entry["mean2"]) for entry in curve], 75.0
            ),
            "auc_forwarded": area(
                [(entry["tokens_forwarded"], entry["mean2"]) for entry in curve],
                1e3,
                1e5,
                logarithmic=True,
            ),
            "auc_wall": area(
                [(entry["wall_s"], entry["mean2"]) for entry in curve],
                0.0,
                self.horizon_s,
                logarithmic=False,
            ),
            "useful_row_rate": 100 * used.rows_useful / used.rows_selected
            if used.rows_selected
            else None,
        }
        metrics |= {
            name: getattr(used, name)
            for name in (*Counters.__struct_fields__, "wall_s")
            if not name.startswith("rows_")
        }
        return Score(
            metrics=metrics,
            images=progress(curve)
            | {f"step-{one.step}": solutions(one, letters) for one in solution.shown},
        )

    def keep_the_warm_start(self, problem: PolicyProblem, hidden: Any, run: Run) -> Solution:
        """The control: no training at all."""
        return self._untrained(problem, dict(problem.warm), run)

    def take_the_skilled(self, problem: PolicyProblem, hidden: Hidden, run: Run) -> Solution:
        """The upper reference: the policy that was taught right answers alone."""
        return self._untrained(problem, hidden.skilled, run)

    def _untrained(
        self, problem: PolicyProblem, parameters: dict[str, torch.Tensor], run: Run
    ) -> Solution:
        model = msgspec.structs.replace(problem, warm=parameters).policy(run.device)
        run.report(1, Policy(model=model, used=Counters()))
        return Solution(model=model, used=Counters())


def _minus(whole: float | None, part: float | None) -> float | None:
    return None if whole is None or part is None else whole - part
