"""Seeds as a user writes them."""

from __future__ import annotations

import re

from bench.errors import UsageError


def parse_seeds(text: str | tuple[int, ...] | None, default: int) -> list[int]:
    """Read ``5`` (the seeds 0 to 4) or ``0-4,7``; seeds themselves are taken as they are; None: the
    preset's number.

    Raises:
        UsageError: the text is no list of seeds.
    """
    if text is None:
        return list(range(default))
    if isinstance(text, tuple):
        return list(text)
    wrong = UsageError(
        f"--seeds got {text!r}; give a number of seeds like 5, or a list like 0-4,7."
    )
    if re.fullmatch(r"\d{1,6}", text.strip()):
        if int(text) == 0:
            raise UsageError(
                "--seeds got '0', which is no seed at all; give a number of seeds like 5, or a "
                "list like 0-4,7."
            )
        return list(range(int(text)))
    if re.fullmatch(r"\d+", text.strip()):
        raise UsageError(
            f"--seeds got {text!r}, and a number alone is how many seeds; give at most 999999, or "
            f"{text.strip()}-{text.strip()} for the seed of that number."
        )
    seeds: dict[int, None] = {}
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,9})(?:-(\d{1,9}))?\s*", part)
        if (
            match is None
            or int(match[2] or match[1]) < int(match[1])
            or int(match[2] or match[1]) - int(match[1]) > 1_000_000
        ):
            raise wrong
        seeds |= dict.fromkeys(range(int(match[1]), int(match[2] or match[1]) + 1))
    return list(seeds)
