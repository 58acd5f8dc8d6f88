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
    encode,
    letters,
    verify,
)
from ._held_out import LONGEST, HeldOut, answered, answered_greedily, encoded
from ._metrics import METRICS, of_curve, pass_at
from ._pictures import progress, solutions
from ._supervised import imitated
from ._warm import warm_start

SPLIT_SEED = 12345
"""The held-out problems are the same for every seed; seeds differ in warm start, training prompts,
their order and the luck of the rollouts.
"""


class Hidden(msgspec.Struct, frozen=True):
    """What no method sees."""

    splits: dict[str, HeldOut]
    skilled: Annotated[dict[str, torch.Tensor], Array(..., dtype="float")]
    solutions: Annotated[torch.Tensor, Array("Q", "T", dtype="int64", ge=0)]
    """Worked solutions of the training prompts, with their mask."""
    solution_mask: Annotated[torch.Tensor, Array("Q", "T", dtype="bool")]


class ClockArithmetic(Task):
    """Work out small problems modulo ten; a reward only for the right digit at the end."""

    card: ClassVar = TaskCard(
        name="clock-arithmetic",
        title="Clock arithmetic with worked steps",
        track="policy-optimization",
        metrics=METRICS,
        presets={
            "smoke": Preset(
                variants={"gflop5": {"gflop": 5}},
                params={
                    "skill_steps": 120,
                    "habit_steps": 20,
                    "prompts": 4,
                    "group": 8,
                    "n_held_out": 32,
                    "points": 2,
                },
                seeds=1,
                timeout=120,
            ),
            "default": Preset(
                variants={"gflop150": {"gflop": 150}},
                seeds=3,
                timeout=300,
            ),
            "paper": Preset(
                variants={"gflop250k": {"gflop": 250_000}},
                params={
                    "width": 256,
                    "layers": 6,
                    "heads": 8,
                    "prompts": 64,
                    "samples": 8,
                },
                seeds=3,
                timeout=7200,
            ),
        },
        test_set="fixed",
        budget="150 GFLOP of generation, planning and "
        "updates, in batches of 8 prompts with 16 rollouts each",
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
                kind="control",
                title="The policy before it learned bad habits",
                solve="take_the_skilled",
            ),
            Reference(
                name="supervised",
                kind="high",
                title="The warm start trained on worked solutions, at the same budget",
                solve="imitate_solutions",
            ),
        ),
    )

    gflop: Annotated[float, Meta(gt=0)] = 150.0
    """Thousand millions of floating-point operations that a training may take, generation and
    planning included.
    """
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
    points: Annotated[int, Meta(ge=1)] = 20
    """Points of the curve, evenly spread over the budget, besides its start."""
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
            },
            flop_budget=self._budget,
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
            problems=[problem],
            hidden=Hidden(
                self._held_out(held_out, run),
                stage["skilled"],
                *encode([one.solution() for one in training], left=False),
            ),
        )

    @property
    def _budget(self) -> int:
        return round(self.gflop * 1e9)

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
                "flops": used.flops,
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
        metrics = of_curve(curve, self._budget)
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
            "gflop": used.flops / 1e9,
            "useful_row_rate": 100 * used.rows_useful / used.rows_selected
            if used.rows_selected
            else None,
        }
        metrics |= {
            name: getattr(used, name)
            for name in (*Counters.__struct_fields__, "wall_s")
            if name != "flops" and not name.startswith("rows_")
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
        """A control: the policy that was taught right answers alone."""
        return self._untrained(problem, hidden.skilled, run)

    def imitate_solutions(self, problem: PolicyProblem, hidden: Hidden, run: Run) -> Solution:
        """The upper anchor: worked solutions of the training prompts in place of rewards."""
        return imitated(problem, hidden.solutions, hidden.solution_mask, run)

    def _untrained(
        self, problem: PolicyProblem, parameters: dict[str, torch.Tensor], run: Run
    ) -> Solution:
        model = msgspec.structs.replace(problem, warm=parameters).policy(run.device)
        run.report(1, Policy(model=model, used=Counters()))
        return Solution(model=model, used=Counters())


def _minus(whole: float | None, part: float | None) -> float | None:
    return None if whole is None or part is None else whole - part
