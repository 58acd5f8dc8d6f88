"""The loops of policy optimization: the loss of a batch, from the logits of its tokens on."""

from __future__ import annotations

import types
from collections import defaultdict

import torch
from bench.builtin.methods.policy_optimization.grpo import Grpo
from bench.builtin.methods.policy_optimization.gspo import Gspo
from torch.nn import functional as F

from bench.tracks.policy_optimization.loss import clipped_loss
from official_loops.checkouts import Checkout
from official_loops.pairs import Pair, loop

ROWS, PROMPT, NEW, TOKENS = 64, 12, 28, 24


class Batch:
    """Rollouts with logits, log-probabilities of the policy that drew them, and advantages."""

    def __init__(self) -> None:
        generator = torch.Generator().manual_seed(0)
        self.prompt, self.taken = (
            torch.randint(TOKENS, (ROWS, count), generator=generator) for count in (PROMPT, NEW)
        )
        ends = torch.randint(NEW // 2, NEW + 1, (ROWS, 1), generator=generator)
        self.mask = torch.arange(NEW) < ends
        self.logits = torch.randn(ROWS, PROMPT + NEW, TOKENS, generator=generator).requires_grad_()
        said = (self.logits.detach()[:, PROMPT - 1 : -1]).log_softmax(-1)
        self.old = said.gather(-1, self.taken[..., None])[..., 0] + 0.2 * torch.randn(
            ROWS, NEW, generator=generator
        )
        self.advantages = torch.randn(ROWS, generator=generator)

    def with_gradient(self, loss):
        return loss, torch.autograd.grad(loss, self.logits)[0]

    def log_p(self) -> torch.Tensor:
        """Return the log-probabilities as our trainer takes them."""
        said = self.logits[:, PROMPT - 1 : -1] / 1.0
        found = F.cross_entropy(said.flatten(0, 1), self.taken.flatten(), reduction="none")
        return -found.view(self.taken.shape)


def surrogate(official: Checkout, method, kind: str, level: str) -> Pair:
    trainer, batch = official.load("trl.trainer.grpo_trainer").GRPOTrainer, Batch()
    alone = types.SimpleNamespace(
        gather=lambda found: found, gather_for_metrics=lambda found: found,
        reduce=lambda found, reduction: found, num_processes=1, sync_gradients=True,
        is_main_process=False,
    )  # fmt: skip
    given = types.SimpleNamespace(
        aux_loss_enabled=False, top_entropy_quantile=1.0, off_policy_mask_threshold=None,
        importance_sampling_level=level, beta=0.0, loss_type=kind, epsilon_low=0.2,
        epsilon_high=0.2, use_vllm=False, current_gradient_accumulation_steps=1,
        model=types.SimpleNamespace(training=True), accelerator=alone, temperature=1.0,
        _entropy_bonus_enabled=False, model_kwarg_keys=(), max_completion_length=NEW,
        args=types.SimpleNamespace(delta=None), vllm_importance_sampling_correction=False,
        _metrics={"train": defaultdict(list)},
    )  # fmt: skip
    for name in ("_get_per_token_logps_and_entropies", "_compute_loss"):
        setattr(given, name, types.MethodType(getattr(trainer, name), given))
    inputs = {
        "prompt_ids": batch.prompt,
        "prompt_mask": torch.ones_like(batch.prompt),
        "completion_ids": batch.taken,
        "completion_mask": batch.mask.long(),
        "advantages": batch.advantages,
        "old_per_token_logps": batch.old,
        "num_items_in_batch": batch.mask.sum(),
    }
    weight = batch.mask.float()

    def model(**_):
        return types.SimpleNamespace(logits=batch.logits * 1.0)  # they divide it in place

    def ours():
        return batch.with_gradient(
            clipped_loss(
                batch.log_p(), batch.old, batch.mask, batch.advantages, weight, method, NEW
            )
        )

    return Pair(
        ours,
        lambda: batch.with_gradient(given._compute_loss(model, inputs)),
        "loss and gradient of the logits",
        1e-3,
    )


@loop("grpo", "policy-optimization", "trl",
      "trl.GRPOTrainer._compute_loss, _get_per_token_logps_and_entropies",
      "64 rows, loss type dapo. The logits are given, so no model runs. The reference code also logs "
      "entropy and clipping.")  # fmt: skip
def grpo(official: Checkout) -> Pair:
    return surrogate(official, Grpo(), "dapo", "token")


@loop("gspo", "policy-optimization", "trl",
      "trl.GRPOTrainer._compute_loss, _get_per_token_logps_and_entropies",
      "64 rows, one ratio for each sequence, loss type grpo. The logits are given, so no model runs.")  # fmt: skip
def gspo(official: Checkout) -> Pair:
    return surrogate(
        official, Gspo(clip_low=0.2, clip_high=0.2, aggregation="sequence"), "grpo", "sequence"
    )
