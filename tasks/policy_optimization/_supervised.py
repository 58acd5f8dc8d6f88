"""The upper anchor: the warm start trained on worked solutions, which no method sees, with the
budget, the optimiser and the batches that every method has.
"""

from __future__ import annotations

import msgspec
import torch
from torch.nn import functional as F

from bench import Run
from bench.tracks.policy_optimization import Counters, Policy, PolicyProblem, Solution
from bench.tracks.policy_optimization.operations import update


def imitated(
    problem: PolicyProblem, targets: torch.Tensor, target_mask: torch.Tensor, run: Run
) -> Solution:
    """Minimise the cross entropy of the solutions' tokens until the budget holds no further step.

    Args:
        problem: whose prompts are answered; its protocol gives budget, rates and sizes.
        targets: tokens of the solutions (Q, T).
        target_mask: (Q, T), False after their end.
        run: gives the device and the order.
    """
    protocol, used = problem.protocol, Counters()
    model = problem.policy(run.device)
    optimiser = torch.optim.AdamW(
        model.parameters(),
        lr=protocol.lr,
        betas=(protocol.beta1, protocol.beta2),
        weight_decay=protocol.weight_decay,
        fused=True,
    )
    ids, mask = (
        torch.cat(parts, 1).to(run.device)
        for parts in ((problem.prompts, targets), (problem.prompt_mask, target_mask))
    )
    columns, size = problem.prompts.shape[1], protocol.prompts * protocol.group
    step = reported = 0
    told = -1

    def report() -> None:
        nonlocal told
        told = step
        run.report(step, Policy(model=model, used=msgspec.structs.replace(used)))

    report()
    while True:
        order = run.torch_generator("order", step, device="cpu")
        rows = torch.randint(len(ids), (size,), generator=order).to(run.device)
        width = int(mask[rows, columns:].sum(-1).max())
        cost = update(problem.shape, size, columns + width, columns - 1)
        if used.flops + cost > protocol.flop_budget:
            break
        for part in rows.tensor_split(protocol.minibatches):
            logits = model(ids[part, : columns + width], mask[part, : columns + width], columns - 1)
            known = mask[part, columns : columns + width]
            losses = F.cross_entropy(
                logits[:, :-1].flatten(0, 1),
                ids[part, columns : columns + width].flatten(),
                reduction="none",
            )
            optimiser.zero_grad(set_to_none=True)
            ((losses * known.flatten()).sum() / known.sum()).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), protocol.max_norm)
            optimiser.step()
            used.optimizer_steps += 1
        step += 1
        used.flops += cost
        used.tokens_in_loss += (kept := int(mask[rows, columns:].sum()))
        used.tokens_forwarded += kept
        if protocol.passed(step, used.flops) > reported:
            report()
        reported = protocol.passed(step, used.flops)
    if step > told:  # the budget was not spent to the last operation, nor to the last mark
        report()
    return Solution(model=model, used=used)
