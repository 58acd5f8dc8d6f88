"""TRL's settings of a protocol, and what it is given besides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from trl import GRPOConfig

from bench.errors import ParameterError
from bench.runs.context import Run
from bench.tracks.policy_optimization.method import PolicyMethod
from bench.tracks.policy_optimization.questions import Questions
from bench.training.hub import table

LOSS = {"token": "dapo", "completion": "dapo", "sequence": "grpo", "constant": "dr_grpo"}
"""What TRL calls the ways to aggregate a loss.

Of ``dapo`` TRL divides by the mean number of tokens of an optimiser step of the batch, we by that
step's own: the same with one minibatch. Which tokens are counted, kept ones or all, is said with
the batch.
"""


def arguments(problem: Questions, method: PolicyMethod, run: Run) -> GRPOConfig:
    """Return TRL's settings of a protocol."""
    protocol, cpu = problem.protocol, run.device.type == "cpu"
    rows = protocol.prompts * protocol.group
    parts = next(
        parts
        for parts in range(protocol.minibatches, rows + 1, protocol.minibatches)
        if rows % parts == 0 and rows // parts <= problem.passes
    )
    return GRPOConfig(
        output_dir=str(run.workdir),
        max_steps=protocol.steps * protocol.minibatches,
        per_device_train_batch_size=rows // parts,
        steps_per_generation=parts,
        gradient_accumulation_steps=parts // protocol.minibatches,
        num_generations=protocol.group,
        max_completion_length=protocol.max_new,
        temperature=protocol.temperature,
        learning_rate=protocol.lr,
        lr_scheduler_type="constant",
        adam_beta1=protocol.beta1,
        adam_beta2=protocol.beta2,
        weight_decay=protocol.weight_decay,
        max_grad_norm=protocol.max_norm,
        beta=protocol.kl,
        use_bias_correction_kl=False,
        loss_type=LOSS[method.aggregation],
        importance_sampling_level=method.level,
        epsilon=method.clip_low,
        epsilon_high=method.clip_high,
        activation_checkpointing=problem.recompute,
        bf16=not cpu,
        use_cpu=cpu,
        use_vllm=problem.engine == "vllm",
        vllm_mode="colocate",
        shuffle_dataset=False,
        dataloader_num_workers=0,
        save_strategy="no",
        logging_strategy="no",
        report_to=[],
        disable_tqdm=True,
        log_level="error",
    )


def check(problem: Questions, method: PolicyMethod) -> None:
    """Raise ParameterError where a protocol does not fit the problem, or the method its trainer."""
    protocol, rows = problem.protocol, problem.protocol.prompts * problem.protocol.group
    if len(problem.questions) < protocol.prompts:
        raise ParameterError(
            f"a batch wants {protocol.prompts} prompts, and there are {len(problem.questions)} "
            "questions; lower 'prompts' or give more."
        )
    if protocol.flop_budget:
        raise ParameterError(
            f"protocol.flop_budget is {protocol.flop_budget}, and TRL's operations are not counted "
            "while it trains; leave it at 0 and give 'steps'."
        )
    if rows % protocol.minibatches:
        raise ParameterError(
            f"{protocol.prompts} x {protocol.group} rollouts can't be split evenly into "
            f"{protocol.minibatches} minibatches; change 'minibatches'."
        )
    if getattr(method, "refill", False):
        raise ParameterError(
            f"{method.name_of()} wants more prompts in the middle of a step, which TRL's batches "
            "can't give; leave refill=false."
        )


def prompts_of(problem: Questions, run: Run) -> Any:
    """Return the prompts of every step in their order, the same for every method of a seed."""
    protocol, rows = problem.protocol, []
    for step in range(protocol.steps):
        order = torch.randperm(
            len(problem.questions), generator=run.torch_generator("order", step, device="cpu")
        )[: protocol.prompts]
        rows += [
            {"prompt": problem.prompt(problem.questions[number]), "answer": problem.answers[number]}
            for number in order.tolist()
        ]
    return table(rows)


def reward_of(problem: Questions, ends: Sequence[int]) -> Callable[..., list[float]]:
    """Return what TRL asks for rewards: the problem's, 0 of an answer that did not end."""

    def verified(
        completions: list[Any], completion_ids: list[list[int]], answer: list[str], **_: Any
    ) -> list[float]:
        texts = [
            completion if isinstance(completion, str) else completion[0]["content"]
            for completion in completions
        ]
        return [
            problem.verify(text, right) if ids and ids[-1] in ends else 0.0
            for text, ids, right in zip(texts, completion_ids, answer, strict=True)
        ]

    return verified


def adapters(rank: int) -> Any:
    """Return the settings of low-rank adapters, none for rank 0."""
    if not rank:
        return None
    from peft import LoraConfig

    return LoraConfig(
        r=rank, lora_alpha=2 * rank, target_modules="all-linear", task_type="CAUSAL_LM"
    )
