"""The warm start: a decoder taught to work problems out, then taught bad habits, so that there is something for rewards to sort out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch.nn import functional as F

from bench import Run
from bench.training.decoder import Decoder, DecoderShape

from ._arithmetic import Problem, Splits, draw_training, encode

HASTY, WRONG, BLIND = 0.4, 0.1, 0.5
"""Of the demonstrations of the second stage: bare guesses, slips a step, brackets not seen."""
HABIT_RATE = 0.25
"""Learning rate of the second stage, as a share of the first one's."""


def warm_start(run: Run, shape: DecoderShape, held_out: Splits, skill_steps: int, habit_steps: int, batch: int, lr: float) -> dict[str, torch.Tensor]:
    """Return the parameters after both stages, ``skilled.NAME`` and ``warm.NAME``."""
    with run.seeded("init"):
        model = Decoder(shape).to(run.device)
    problems = draw_training(run.numpy_generator("split"), (skill_steps + habit_steps) * batch, held_out)
    skill, habit = problems[: skill_steps * batch], problems[skill_steps * batch :]
    _imitate(model, skill, [problem.solution() for problem in skill], batch, lr)
    skilled = {f"skilled.{name}": value.clone() for name, value in model.state_dict().items()}
    generator = run.numpy_generator("corruption")
    _imitate(model, habit, [problem.bad_habit(generator, HASTY, WRONG, BLIND) for problem in habit], batch, lr * HABIT_RATE)
    return skilled | {f"warm.{name}": value.clone() for name, value in model.state_dict().items()}


def _imitate(model: Decoder, problems: Sequence[Problem], answers: Sequence[str], batch: int, lr: float) -> None:
    """Minimise the cross entropy of the answers' tokens, one pass in batches; the rate rises over a tenth of the steps and falls over the last three."""
    device = next(model.parameters()).device
    optimiser = torch.optim.AdamW(model.parameters(), lr=lr, betas=(0.9, 0.99), weight_decay=0.0, fused=device.type == "cuda")
    prompts, prompt_mask = (part.to(device) for part in encode([problem.text() for problem in problems], left=True))
    targets, target_mask = (part.to(device) for part in encode(answers, left=False))
    total = len(problems) // batch
    for step, rows in enumerate(np.arange(total * batch).reshape(total, batch)):
        optimiser.param_groups[0]["lr"] = lr * min(1.0, 10 * (step + 1) / total, (1 - step / total) / 0.3)
        part = slice(rows[0], rows[-1] + 1)
        width = int(target_mask[part].sum(-1).max())
        ids = torch.cat([prompts[part], targets[part, :width]], 1)
        mask = torch.cat([prompt_mask[part], target_mask[part, :width]], 1)
        logits = model(ids, mask, prompts.shape[1] - 1)[:, :-1]
        losses = F.cross_entropy(logits.flatten(0, 1), targets[part, :width].flatten(), reduction="none")
        known = target_mask[part, :width].flatten()
        optimiser.zero_grad(set_to_none=True)
        ((losses * known).sum() / known.sum()).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
