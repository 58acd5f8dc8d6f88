"""The warm start: a decoder taught to work problems out, then taught bad
habits, so that there is something for rewards to sort out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch.nn import functional as F

from bench import Run
from bench.training.decoder import Decoder, DecoderShape

from ._arithmetic import Problem, Splits, draw_training, encode

HASTY, WRONG, BLIND = 0.4, 0.1, 0.5
"""Of the demonstrations of the second stage: bare guesses, slips a step, brackets not seen."""
BATCH, RATE, HABIT_RATE = 32, 4e-3, 1e-3
"""Rows of a step, and the highest learning rate of each stage.

Chosen on seeds from 100 on and problems of their own, so that every seed gets the skill.
"""


def warm_start(
    run: Run, shape: DecoderShape, held_out: Splits, skill_steps: int, habit_steps: int
) -> dict[str, torch.Tensor]:
    """Return the parameters after both stages, ``skilled.NAME`` and ``warm.NAME``."""
    with run.seeded("init"):
        model = Decoder(shape).to(run.device)
    problems = draw_training(
        run.numpy_generator("split"), (skill_steps + habit_steps) * BATCH, held_out
    )
    skill, habit = problems[: skill_steps * BATCH], problems[skill_steps * BATCH :]
    _imitate(model, skill, [problem.solution() for problem in skill], RATE)
    skilled = {f"skilled.{name}": value.clone() for name, value in model.state_dict().items()}
    generator = run.numpy_generator("corruption")
    _imitate(
        model,
        habit,
        [problem.bad_habit(generator, HASTY, WRONG, BLIND) for problem in habit],
        HABIT_RATE,
    )
    return skilled | {f"warm.{name}": value.clone() for name, value in model.state_dict().items()}


def _imitate(
    model: Decoder, problems: Sequence[Problem], answers: Sequence[str], rate: float
) -> None:
    """Minimise the cross entropy of the answers' tokens, one pass in batches; the rate rises over a
    tenth of the steps and falls along a cosine.
    """
    device = next(model.parameters()).device
    optimiser = torch.optim.AdamW(
        model.parameters(), lr=rate, betas=(0.9, 0.99), weight_decay=0.0, fused=True
    )
    prompts, prompt_mask = (
        part.to(device) for part in encode([problem.text() for problem in problems], left=True)
    )
    targets, target_mask = (part.to(device) for part in encode(answers, left=False))
    total = len(problems) // BATCH
    widths = [
        [int(mask.any(0).sum()) for mask in whole.split(BATCH)]
        for whole in (prompt_mask, target_mask)
    ]
    for step in range(total):
        optimiser.param_groups[0]["lr"] = rate * _share((step + 1) / total)
        rows, first, width = (
            slice(step * BATCH, (step + 1) * BATCH),
            prompts.shape[1] - widths[0][step],
            widths[1][step],
        )
        ids = torch.cat([prompts[rows, first:], targets[rows, :width]], 1)
        mask = torch.cat([prompt_mask[rows, first:], target_mask[rows, :width]], 1)
        logits = model(ids, mask, widths[0][step] - 1)[:, :-1]
        losses = F.cross_entropy(
            logits.flatten(0, 1), targets[rows, :width].flatten(), reduction="none"
        )
        known = target_mask[rows, :width].flatten()
        optimiser.zero_grad(set_to_none=True)
        ((losses * known).sum() / known.sum()).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()


def _share(done: float) -> float:
    """Return the share of the highest rate when this share of the steps is done."""
    return 10 * done if done < 0.1 else 0.5 * (1 + math.cos(math.pi * (done - 0.1) / 0.9))
