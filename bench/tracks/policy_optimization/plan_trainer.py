"""TRL's ``GRPOTrainer``, driven by the plans of this track's methods.

What is TRL's: generation, the optimiser, adapters, mixed precision, the loss. What is ours: which
rollouts, which tokens and which advantages reach that loss, and every count. The overridden methods
are private to TRL, so its minor version is pinned and a test compares the whole with a computation
of our own.

How a plan fits into TRL's batch, a dict of tensors with a row a rollout:

- rows that are left out are cut off before anything is passed forward;
- the batch is then split evenly, so rows of no token and no advantage fill it up to a multiple of
  the parts;
- advantages are (rows, T), each times the weight of its token;
- with ratios of tokens, ``tool_mask`` holds the tokens of weight above 0: it is TRL's own mask of
  what counts in the loss, and leaves attention alone. A ratio of the sequence is over all of its
  tokens, so there the mask stays whole;
- ``num_items_in_batch``, what TRL divides the sum over tokens by, becomes the sum of the weights,
  or the number of completion tokens where the method divides by those.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import torch
import transformers.trainer
import trl.trainer.grpo_trainer
from transformers import PrinterCallback, TrainerCallback
from trl import GRPOTrainer

from bench.errors import EnvironmentFault
from bench.runs.context import Run
from bench.tracks.policy_optimization.language_model import LanguageModel
from bench.tracks.policy_optimization.method import PolicyMethod
from bench.tracks.policy_optimization.plan import RolloutBatch, planned, select
from bench.tracks.policy_optimization.plan_batches import Scores, cut, padded
from bench.tracks.policy_optimization.plan_settings import (
    adapters,
    arguments,
    check,
    prompts_of,
    reward_of,
)
from bench.tracks.policy_optimization.questions import Questions
from bench.tracks.policy_optimization.rollouts import shown
from bench.tracks.policy_optimization.solution import Counters, Policy, Shown, Solution


def train(problem: Questions, method: PolicyMethod, run: Run) -> Solution:
    """Train the model of ``problem`` by the plans of ``method``."""
    with _quiet(), _own_streams(), run.seeded("init"):
        trainer = PlanTrainer(problem, method, run, problem.policy(run.device))
    run.report(0, trainer.policy())
    with _quiet(), run.seeded("order", "minibatches"):
        trainer.train()
    return Solution(model=trainer.language_model(), used=trainer.used, shown=tuple(trainer.shown))


class PlanTrainer(GRPOTrainer):
    """A ``GRPOTrainer`` whose updates are the plans of a method.

    Raises:
        ParameterError: the protocol does not fit the problem, or the method wants what TRL's
            batches can't give.
        EnvironmentFault: it runs in several processes.
    """

    def __init__(
        self, problem: Questions, method: PolicyMethod, run: Run, start: LanguageModel
    ) -> None:
        self.problem, self.method, self.bench_run, self.start = problem, method, run, start
        self.used, self.shown = Counters(), list[Shown]()
        self._round, self._idle, self._deferring = -1, False, False
        self._rewarded = torch.zeros(0)
        check(problem, method)
        super().__init__(
            model=start.net,
            reward_funcs=[reward_of(problem, start.ends())],
            args=arguments(problem, method, run),
            train_dataset=prompts_of(problem, run),
            processing_class=start.tokenizer,
            peft_config=adapters(problem.lora),
            callbacks=[_Follow(self)],
        )
        self.remove_callback(PrinterCallback)
        if self.accelerator.num_processes > 1:
            raise EnvironmentFault(
                "plans that choose across groups need all rollouts of a batch in one process, "
                f"and this one is one of {self.accelerator.num_processes}; start a single process."
            )

    def language_model(self) -> LanguageModel:
        """Return the model as it is, with its tokenizer."""
        return LanguageModel(self.model, self.start.tokenizer)

    def policy(self) -> Policy:
        """Return what a report shows."""
        return Policy(model=self.language_model(), used=msgspec.structs.replace(self.used))

    # What TRL calls -----------------------------------------------------------

    def _generate_single_turn(self, *arguments: Any, **options: Any) -> Any:
        with self.bench_run.seeded("augment", self._round):
            return super()._generate_single_turn(*arguments, **options)

    def _calculate_rewards(self, *arguments: Any, **options: Any) -> torch.Tensor:
        found: torch.Tensor = super()._calculate_rewards(*arguments, **options)
        self._rewarded = found[:, 0].float()
        return found

    def _get_per_token_logps_and_entropies(self, *arguments: Any, **options: Any) -> Any:
        # TRL would pass every rollout forward here; the plan first says which ones
        if self._deferring:
            return None, None, None
        return super()._get_per_token_logps_and_entropies(*arguments, **options)

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        self._round += 1
        device = self.accelerator.device
        with self.used.clock("gen_s", device):
            self._deferring = self.beta == 0 and not self.use_vllm
            try:
                found = super()._generate_and_score_completions(inputs)
            finally:
                self._deferring = False
        self.used.rollouts += len(found["completion_ids"])
        self.used.tokens_generated += int(found["completion_mask"].sum())
        self.bench_run.count(forward=len(found["completion_ids"]))
        with self.used.clock("select_s", device):
            return self.planned(found)

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> torch.Tensor:
        """Return TRL's loss; where the plan has nothing to learn from, a zero that reaches no
        parameter, so that the optimiser leaves all as they are.
        """
        if self._idle:
            return torch.zeros((), device=self.accelerator.device, requires_grad=True)
        loss: torch.Tensor = super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        return loss

    # The plan -----------------------------------------------------------------

    def planned(self, found: dict[str, Any]) -> dict[str, Any]:
        """Return TRL's batch with what the plan leaves out cut off, and the plan's advantages."""
        steps, group, parts = (
            self.problem.protocol.steps,
            self.num_generations,
            self.args.steps_per_generation,
        )
        mask, device = found["completion_mask"].bool(), found["completion_ids"].device
        whole, seen = (
            torch.cat([found["prompt_ids"], found["completion_ids"]], 1),
            torch.cat([found["prompt_mask"], found["completion_mask"]], 1),
        )

        def score(rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            log_p, entropy, _ = self._get_per_token_logps_and_entropies(
                self.model,
                whole[rows],
                seen[rows],
                mask.shape[1],
                self.args.per_device_train_batch_size,
                compute_entropy=True,
            )
            return log_p, entropy

        scores = Scores(score, mask)
        batch = RolloutBatch(
            prompt_ids=found["prompt_ids"],
            prompt_mask=found["prompt_mask"].bool(),
            completion_ids=found["completion_ids"],
            completion_mask=mask,
            rewards=self._rewarded,
            group=torch.arange(len(mask), device=device) // group,
            entropy=lambda rows: scores.of(rows)[1],
            wanted=len(mask) // group,
        )
        progress = self._round / max(1, steps - 1)
        plan = planned(
            lambda batch: self.method.plan(
                batch, progress, self.bench_run.torch_generator("method", self._round)
            ),
            batch,
        )
        if self._round in (0, steps - 1):
            self.shown.append(shown(batch, plan, self._round + 1, group))
        chosen = select(batch, plan)
        self._idle = not self.used.note(chosen)
        if self._idle:
            rows = torch.arange(parts, device=device)
            return cut(found, rows, mask.shape[1]) | {
                "advantages": torch.zeros(parts, device=device)
            }
        self.bench_run.count(forward=2 * len(chosen.rows), backward=len(chosen.rows))
        width, short = int(chosen.mask.sum(-1).max()), -len(chosen.rows) % parts
        rows = torch.cat([chosen.rows, chosen.rows[:1].expand(short)])
        # several optimiser steps: the first one moves the policy
        if self.args.gradient_accumulation_steps % parts and "old_per_token_logps" not in found:
            old = torch.zeros(mask.shape, device=device)
            old[chosen.rows] = scores.of(chosen.rows)[0]
            found = found | {"old_per_token_logps": old}
        counted, pull = self._counted(chosen.mask, chosen.weight, chosen.advantages, len(rows))
        kept = cut(found, rows, width)
        kept["completion_mask"] = padded(chosen.mask, short, width).to(
            found["completion_mask"].dtype
        )
        kept["tool_mask"] = padded(counted, short, width).to(found["completion_mask"].dtype)
        whole_rows = self.method.aggregation == "completion"
        return kept | {
            "advantages": padded(pull, short, width),
            "num_items_in_batch": chosen.mask.sum() + chosen.silent
            if whole_rows
            else chosen.weight.sum(),
        }

    def _counted(
        self, mask: torch.Tensor, weight: torch.Tensor, advantages: torch.Tensor, rows: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the tokens in TRL's loss, and advantages that make TRL's
        average over those the average over weights (M, T).
        """
        counted = mask if self.method.level == "sequence" else weight > 0
        pull = advantages * weight
        if self.method.aggregation == "sequence":
            pull = pull * (counted.sum(-1) / weight.sum(-1))[:, None]
        # TRL divides by the rows of the part, those that only fill it up among them
        if self.method.aggregation in ("sequence", "constant"):
            pull = pull * (rows / len(mask))
        return counted, pull


class _Follow(TrainerCallback):
    """Counts optimiser steps and their time, reports, and stops after the last step."""

    def __init__(self, trainer: PlanTrainer) -> None:
        self.trainer, self._start = trainer, 0.0
        self._tick = trainer.bench_run.progress(trainer.problem.protocol.steps, "steps")

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Start the clock."""
        self._start = time.perf_counter() - self.trainer.used.gen_s - self.trainer.used.select_s

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Note the time that was neither generation nor selection, and report."""
        trainer, protocol = self.trainer, self.trainer.problem.protocol
        used = trainer.used
        if trainer.accelerator.device.type == "cuda":
            torch.cuda.synchronize()
        used.update_s += time.perf_counter() - self._start - used.gen_s - used.select_s
        used.optimizer_steps += not trainer._idle
        step, within = divmod(state.global_step, protocol.minibatches)
        if within:
            return
        if step % protocol.report_every == 0 or step == protocol.steps:
            trainer.bench_run.report(step, trainer.policy())
        control.should_training_stop = step == protocol.steps
        self._tick()


@contextmanager
def _own_streams() -> Iterator[None]:
    """Keep the libraries from seeding the global streams, which the run has seeded already."""
    homes = (transformers.trainer, trl.trainer.grpo_trainer)
    before = [home.set_seed for home in homes]
    for home in homes:
        home.set_seed = lambda *_, **__: None
    try:
        yield
    finally:
        for home, original in zip(homes, before, strict=True):
            home.set_seed = original


@contextmanager
def _quiet() -> Iterator[None]:
    """Leave out what the libraries say of each other's deprecated names."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*will be removed in v6")
        yield
