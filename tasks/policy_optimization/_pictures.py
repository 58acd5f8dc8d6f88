"""Pictures of a training: its curves, and what a plan keeps of a few rollouts."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from bench.tracks.policy_optimization import Shown
from bench.training.canvas import GRID, INK, SOFT, WHITE, fit, shade, text_width, write
from bench.training.pictures import curves

_LINE, _SIZE, _WIDEST = 22, 13, 900
Letters = Callable[[Sequence[int]], list[str]]
"""From tokens to what is shown of each."""


def progress(curve: Sequence[Mapping[str, Any]]) -> dict[str, np.ndarray]:
    """Return the share of right answers against steps, against tokens on a logarithmic axis, and
    where operations were counted against those.
    """
    counted = {"in the loss": "tokens_in_loss", "forwarded": "tokens_forwarded"}
    against = {
        name: [(math.log10(max(1, entry[key])), entry["mean2"]) for entry in curve if entry[key]]
        for name, key in counted.items()
    }
    spent = [(entry["flops"] / 1e9, entry["mean2"]) for entry in curve if "flops" in entry]
    title = "Right answers drawn, test problems"
    operations = {"operations": curves({"": spent}, title, "GFLOP", "%")} if spent else {}
    return operations | {
        "steps": curves(
            {"": [(entry["step"], entry["mean2"]) for entry in curve]},
            title,
            "steps",
            "%",
        ),
        "tokens": curves(against, title, "log10(tokens)", "%"),
    }


def solutions(shown: Shown, letters: Letters) -> np.ndarray:
    """Draw rollouts of one prompt, a line each; a token that counts stands on blue (to become
    likelier) or vermilion (less likely), one left out on white.
    """
    bound = float(shown.pull.abs().max()) or 1.0
    prompt = "".join(letters(shown.prompt_ids[0][shown.prompt_mask[0]].tolist()))
    lines = [
        (letters(ids[mask].tolist()), pull[mask].numpy() / bound)
        for ids, mask, pull in zip(
            shown.completion_ids, shown.completion_mask, shown.pull, strict=True
        )
    ]
    places = [
        np.cumsum([64, *(max(8, text_width(fit(text, 200, _SIZE), _SIZE) + 3) for text in texts)])
        for texts, _ in lines
    ]
    wide = int(min(_WIDEST, max([360, *(place[-1] + 12 for place in places)])))
    image = Image.new("RGB", (wide, 40 + _LINE * len(lines)), WHITE)
    draw = ImageDraw.Draw(image)
    write(image, (8, 10), fit(f"Step {shown.step}: {prompt}", wide - 16, 14), 14)
    for number, ((texts, pulls), place, reward) in enumerate(
        zip(lines, places, shown.rewards.tolist(), strict=True)
    ):
        top = 34 + _LINE * number
        write(
            image,
            (8, top + 3),
            "right" if reward > 0 else "wrong",
            _SIZE,
            INK if pulls.any() else SOFT,
        )
        for text, pull, colour, left, right in zip(
            texts,
            pulls,
            shade(pulls).tolist(),
            place[:-1].tolist(),
            place[1:].tolist(),
            strict=True,
        ):
            if pull:
                draw.rectangle(
                    [left, top, right - 1, top + _LINE - 4], fill=tuple(colour), outline=GRID
                )
            write(
                image,
                ((left + right) / 2, top + 9),
                fit(text, 200, _SIZE),
                _SIZE,
                SOFT if not pull else WHITE if abs(pull) > 0.6 else INK,
                "mm",
            )
    return np.asarray(image)
