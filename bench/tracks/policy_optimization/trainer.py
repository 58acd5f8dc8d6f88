"""The one trainer of the track, on the small decoder: prompts, rollouts, rewards, plan, update."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import torch
from torch.nn import functional as F

from bench.tracks.policy_optimization import operations
from bench.tracks.policy_optimization.loss import aggregate, clipped_loss, divergence
from bench.tracks.policy_optimization.plan import (
    RolloutBatch,
    Selection,
    UpdatePlan,
    planned,
    select,
)
from bench.tracks.policy_optimization.prompts import Prompts
from bench.tracks.policy_optimization.rollouts import Draw, Kept, log_probabilities, shown
from bench.tracks.policy_optimization.solution import Counters, Policy, Shown, Solution
from bench.watches import Unwatched

if TYPE_CHECKING:
    from bench.runs.context import Run
    from bench.tracks.policy_optimization.method import PolicyMethod

_CHECKPOINT = 10
"""Steps between checkpoints."""


class Trainer:
    """Trains a problem's policy by a method's plans.

    Attributes:
        used: what it has used so far.
        spent: True once the budget of operations does not hold the next update.
    """

    def __init__(self, problem: Prompts, method: PolicyMethod, run: Run) -> None:
        self.problem, self.method, self.run, self.protocol = problem, method, run, problem.protocol
        self.device = run.device
        self.model = problem.policy(self.device)
        self.reference = (
            problem.policy(self.device).requires_grad_(False) if self.protocol.kl else None
        )
        self.optimiser = torch.optim.AdamW(
            self.model.parameters(),
            lr=self.protocol.lr,
            betas=(self.protocol.beta1, self.protocol.beta2),
            weight_decay=self.protocol.weight_decay,
            fused=True,
        )
        self.used, self.shown, self.spent = Counters(), list[Shown](), False
        self.prompts, self.prompt_mask, self.answers = (
            part.to(self.device) for part in (problem.prompts, problem.prompt_mask, problem.answers)
        )

    def train(self) -> Solution:
        """Run until the budget is spent, or without one until the steps are over; goes on from the
        run's last checkpoint.
        """
        budget, steps = self.protocol.flop_budget, self.protocol.steps
        step, last = self._restore(), None
        if step == 0:
            self.run.report(0, self._policy())
        reported = self.protocol.passed(step, self.used.flops)
        tick = self.run.progress(self.protocol.points if budget else steps, "training")
        while not (self.spent if budget else step >= steps):
            taken, step = self.step(step), step + 1
            last = last if self.spent else taken
            points = self.protocol.passed(step, self.used.flops)
            if points > reported or (self.spent if budget else step == steps):
                self.run.report(step, self._policy())
            for _ in range(points - reported if budget else 1):
                tick()
            reported = points
            if step % _CHECKPOINT == 0 and not self.spent:
                self._save(step)
        if last is not None:
            self.shown.append(shown(*last, self.protocol.group))
        return Solution(model=self.model, used=self.used, shown=tuple(self.shown))

    def step(self, step: int) -> tuple[RolloutBatch, UpdatePlan, int]:
        """Take one step: rollouts, plan, update. Returns what it did.

        The update is left out where the budget does not hold it, and ``spent`` is True then.
        """
        progress = self.protocol.progress(step, self.used.flops)
        batch, old = self._rollouts(step)
        with self.used.clock("select_s", self.device):
            plan = planned(
                lambda batch: self.method.plan(
                    batch, progress, self.run.torch_generator("method", step)
                ),
                batch,
            )
            self.used.flops += plan.flops
        with self.used.clock("update_s", self.device):
            chosen = select(batch, plan)
            cost = self._cost(batch, chosen)
            if self._holds(cost):
                kept = self._kept(batch, chosen, old)
                if kept is not None:
                    self.used.flops += cost
                    self._update(kept, step)
        if step == 0 and not self.spent:
            self.shown.append(shown(batch, plan, 1, self.protocol.group))
        return batch, plan, step + 1

    def _holds(self, cost: int) -> bool:
        """Say whether the budget holds an update; where not, it is spent."""
        budget = self.protocol.flop_budget
        self.spent = 0 < budget < self.used.flops + max(1, cost)
        return not self.spent

    def _cost(self, batch: RolloutBatch, chosen: Selection) -> int:
        """Return the operations of an update on what a plan selected; 0: there is none."""
        if not bool(chosen.signal.any()):
            return 0
        columns, width = batch.prompt_ids.shape[1], int(chosen.mask.sum(-1).max())
        return operations.update(
            self.problem.shape,
            len(chosen.rows),
            columns + width,
            columns - 1,
            reference=self.reference is not None,
        )

    def _rollouts(self, step: int) -> tuple[RolloutBatch, torch.Tensor]:
        """Generate groups for the step, and as many more as the method asks for; returns them with
        the log-probability of every token.
        """
        with self.used.clock("gen_s", self.device):
            drawn = self._generate(step, 0, self.protocol.prompts)
            batch = self._batch(*drawn)
            for attempt in range(1, self.method.max_resample + 1):
                more = self.method.missing(batch)
                if more <= 0:
                    break
                drawn = tuple(
                    torch.cat(parts)
                    for parts in zip(drawn, self._generate(step, attempt, more), strict=True)
                )
                batch = self._batch(*drawn)
        return batch, drawn[3]

    def _generate(self, step: int, attempt: int, prompts: int) -> tuple[torch.Tensor, ...]:
        """Return numbers of prompts, and tokens, mask, log-probabilities
        and entropies of their rollouts.
        """
        protocol, problem = self.protocol, self.problem
        axes = (step, attempt) if attempt else (step,)
        chosen = torch.randperm(
            len(self.prompts), generator=self.run.torch_generator("order", *axes, device="cpu")
        )[:prompts].to(self.device)
        luck = torch.rand(
            prompts * protocol.group,
            protocol.max_new,
            generator=self.run.torch_generator("augment", *axes, device="cpu"),
        ).to(self.device)
        draw = Draw(luck, protocol.temperature)
        with Unwatched():
            ids, mask = self.model.generate(
                self.prompts[chosen],
                self.prompt_mask[chosen],
                new=protocol.max_new,
                choose=draw,
                end=problem.end,
                pad=problem.pad,
                repeat=protocol.group,
            )
        self.used.rollouts += len(ids)
        self.used.tokens_generated += int(mask.sum())
        self.used.flops += operations.generation(
            problem.shape, prompts, self.prompts.shape[1], draw.going
        )
        self.run.count(forward=len(ids))
        return chosen, ids, mask, *draw.told()

    def _batch(
        self,
        chosen: torch.Tensor,
        ids: torch.Tensor,
        mask: torch.Tensor,
        log_p: torch.Tensor,
        entropy: torch.Tensor,
    ) -> RolloutBatch:
        prompts = chosen.repeat_interleave(self.protocol.group)
        return RolloutBatch(
            prompt_ids=self.prompts[prompts],
            prompt_mask=self.prompt_mask[prompts],
            completion_ids=ids,
            completion_mask=mask,
            rewards=self.problem.verify(ids, mask, self.answers[prompts]),
            group=torch.arange(len(chosen), device=self.device).repeat_interleave(
                self.protocol.group
            ),
            entropy=lambda rows: entropy[rows],
            wanted=self.protocol.prompts,
        )

    def _kept(self, batch: RolloutBatch, chosen: Selection, old: torch.Tensor) -> Kept | None:
        """Return the rows of an update; None where there is nothing to learn from them."""
        if not self.used.note(chosen):
            return None
        rows, columns, width = (
            chosen.rows,
            batch.prompt_ids.shape[1],
            int(chosen.mask.sum(-1).max()),
        )
        ids = torch.cat([batch.prompt_ids[rows], batch.completion_ids[rows, :width]], 1)
        full = torch.cat([batch.prompt_mask[rows], chosen.mask[:, :width]], 1)
        self.run.count(forward=len(rows), backward=len(rows))
        return Kept(
            ids,
            full,
            ids[:, columns:],
            chosen.mask[:, :width],
            chosen.advantages[:, :width],
            chosen.weight[:, :width],
            old[rows, :width],
            chosen.silent / min(self.protocol.minibatches, len(rows)),
        )

    def _update(self, kept: Kept, step: int) -> None:
        """Take an optimiser step for each minibatch of the kept rows, in the order of the seed."""
        count = min(self.protocol.minibatches, len(kept.ids))
        order = torch.randperm(
            len(kept.ids),
            generator=self.run.torch_generator("order", step, "minibatches", device="cpu"),
        ).to(self.device)
        with Unwatched():
            for rows in order.tensor_split(count):
                self.optimiser.zero_grad(set_to_none=True)
                self.loss(kept.part(rows)).backward()
                torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.protocol.max_norm)
                self.optimiser.step()
                self.used.optimizer_steps += 1

    def loss(self, kept: Kept) -> torch.Tensor:
        """Return the loss of some rows under the policy as it is."""
        first = kept.ids.shape[1] - kept.completion.shape[1]
        logits = self.model(kept.ids, kept.full_mask, first - 1)[:, :-1] / self.protocol.temperature
        log_p = -F.cross_entropy(
            logits.flatten(0, 1), kept.completion.flatten(), reduction="none"
        ).view(kept.completion.shape)
        loss = clipped_loss(
            log_p,
            kept.old,
            kept.mask,
            kept.advantages,
            kept.weight,
            self.method,
            self.protocol.max_new,
            kept.silent,
        )
        if self.reference is not None:
            with torch.no_grad():
                reference = log_probabilities(
                    self.reference, kept.ids, kept.full_mask, first, self.protocol.temperature
                )
            away = divergence(log_p, reference.gather(-1, kept.completion[..., None])[..., 0])
            loss = loss + self.protocol.kl * aggregate(
                torch.where(kept.weight > 0, away, 0.0),
                kept.weight,
                kept.mask,
                self.method.aggregation,
                self.protocol.max_new,
                kept.silent,
            )
        return loss

    def _policy(self) -> Policy:
        return Policy(model=self.model, used=msgspec.structs.replace(self.used))

    def _save(self, step: int) -> None:
        moments = self.optimiser.state_dict()["state"]
        state: dict[str, Any] = {
            "step": step,
            "model": self.model.state_dict(),
            "used": msgspec.to_builtins(self.used),
        }
        self.run.checkpoint(
            state | {"moments": {str(number): dict(parts) for number, parts in moments.items()}}
        )

    def _restore(self) -> int:
        state = self.run.restored()
        if state is None:
            return 0
        self.model.load_state_dict(state["model"])
        known = self.optimiser.state_dict()
        self.optimiser.load_state_dict(
            {**known, "state": {int(number): parts for number, parts in state["moments"].items()}}
        )
        self.used = msgspec.convert(state["used"], Counters)
        return int(state["step"])
