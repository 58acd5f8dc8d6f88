"""Clock arithmetic as a language: problems, worked solutions, what can go wrong in them, and the
check of an answer.

A problem is two to five operations + - * on digits, modulo 10, from left to right whatever the
sign, at times with one bracketed pair that comes first: ``7-(8-5)+9=`` is answered by
``8-5=3;7-3=4;4+9=3#3``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import torch

CHARACTERS = "0123456789+-*()=;#"
PAD, START, END = range(3)
NUMBER = {character: position + 3 for position, character in enumerate(CHARACTERS)}
VOCABULARY = len(CHARACTERS) + 3
MODULUS = 10

Generator = np.random.Generator


class Problem(NamedTuple):
    """Digits, the signs between them, and where the bracketed pair begins
    (0: nowhere, since there it would change nothing).
    """

    digits: tuple[int, ...]
    signs: str
    bracket: int = 0

    def text(self) -> str:
        """Return what the policy reads."""
        parts = [str(self.digits[0])]
        for position, (sign, digit) in enumerate(zip(self.signs, self.digits[1:], strict=True), 1):
            parts += [
                sign,
                "(" * (position == self.bracket),
                str(digit),
                ")" * (position - 1 == self.bracket and self.bracket > 0),
            ]
        return "".join(parts) + "="

    def steps(self) -> list[tuple[int, str, int]]:
        """Return the operations in their order, each with the numbers that it meets."""
        digits, signs, found = list(self.digits), list(self.signs), []
        order = [self.bracket] if self.bracket else []
        while signs:
            at = order.pop() if order else 0
            found.append((digits[at], signs[at], digits[at + 1]))
            digits[at : at + 2] = [_apply(*found[-1])]
            del signs[at]
        return found

    @property
    def answer(self) -> int:
        """The right digit."""
        return _apply(*self.steps()[-1])

    def solution(self) -> str:
        """Return the worked answer."""
        return _write([(step, _apply(*step)) for step in self.steps()])

    def bad_habit(self, generator: Generator, hasty: float, wrong: float, blind: float) -> str:
        """Return an answer of mixed quality: a bare guess, or worked with
        slips, at times blind to the brackets.
        """
        if generator.random() < hasty:
            return f"#{generator.integers(MODULUS)}"
        read = self._replace(bracket=0) if generator.random() < blind else self
        digits, signs, order, steps = (
            list(read.digits),
            list(read.signs),
            [read.bracket] if read.bracket else [],
            [],
        )
        while signs:
            at = order.pop() if order else 0
            step = (digits[at], signs[at], digits[at + 1])
            result = (
                int(generator.integers(MODULUS)) if generator.random() < wrong else _apply(*step)
            )
            steps.append((step, result))
            digits[at : at + 2] = [result]
            del signs[at]
        return _write(steps)


def _apply(left: int, sign: str, right: int) -> int:
    return (
        left + right if sign == "+" else left - right if sign == "-" else left * right
    ) % MODULUS


def _write(steps: Sequence[tuple[tuple[int, str, int], int]]) -> str:
    return (
        ";".join(f"{left}{sign}{right}={result}" for (left, sign, right), result in steps)
        + f"#{steps[-1][1]}"
    )


def draw(generator: Generator, operations: tuple[int, int], bracketed: float) -> Problem:
    """Draw a problem of a number of operations between two bounds; with
    probability ``bracketed`` one pair is in brackets.
    """
    count = int(generator.integers(operations[0], operations[1] + 1))
    digits = tuple(int(digit) for digit in generator.integers(0, MODULUS, count + 1))
    signs = "".join("+-*"[sign] for sign in generator.integers(0, 3, count))
    return Problem(
        digits, signs, int(generator.integers(1, count)) if generator.random() < bracketed else 0
    )


class Splits(NamedTuple):
    """Problems that nothing is trained on: ``test``, one operand changed, brackets put in so that
    the answer changes, and five operations.
    """

    test: list[Problem]
    simple: list[Problem]
    hard: list[Problem]
    long: list[Problem]


def draw_splits(generator: Generator, size: int) -> Splits:
    """Draw splits of ``size`` problems, no problem in two places."""
    seen: set[Problem] = set()
    splits = Splits([], [], [], [])
    while len(splits.test) < size:
        plain = draw(generator, (2, 4), 0.0)
        brackets = [
            other
            for at in range(1, len(plain.signs))
            if (other := plain._replace(bracket=at)).answer != plain.answer
        ]
        at, shift = int(generator.integers(len(plain.digits))), int(generator.integers(1, MODULUS))
        changed = plain._replace(
            digits=tuple(
                (digit + shift) % MODULUS if position == at else digit
                for position, digit in enumerate(plain.digits)
            )
        )
        if not brackets or seen & {
            plain,
            changed,
            hard := brackets[int(generator.integers(len(brackets)))],
        }:
            continue
        seen |= {plain, changed, hard}
        splits.test.append(plain)
        splits.simple.append(changed)
        splits.hard.append(hard)
    while len(splits.long) < size:
        if (problem := draw(generator, (5, 5), 0.0)) not in seen:
            seen.add(problem)
            splits.long.append(problem)
    return splits


def draw_training(generator: Generator, size: int, held_out: Splits) -> list[Problem]:
    """Draw ``size`` problems of two to four operations, three in ten
    bracketed, none of them held out.
    """
    forbidden = {problem for split in held_out for problem in split}
    found: list[Problem] = []
    while len(found) < size:
        if (problem := draw(generator, (2, 4), 0.3)) not in forbidden:
            found.append(problem)
    return found


def encode(texts: Iterable[str], *, left: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """Return tokens (N, T) and mask: prompts are padded on the left and begin with START,
    completions on the right and end with END.
    """
    rows = [
        [START, *(NUMBER[character] for character in text)]
        if left
        else [*(NUMBER[character] for character in text), END]
        for text in texts
    ]
    width = max(map(len, rows))
    ids = torch.tensor(
        [
            [PAD] * (width - len(row)) + row if left else row + [PAD] * (width - len(row))
            for row in rows
        ]
    )
    return ids, ids != PAD


def decode(ids: Iterable[int]) -> str:
    """Return the text of tokens, without the special ones."""
    return "".join(CHARACTERS[token - 3] for token in ids if token >= 3)


def letters(ids: Iterable[int]) -> list[str]:
    """Return what to show of each token: its character, and a mark for the end."""
    return [CHARACTERS[token - 3] if token >= 3 else "." if token == END else "" for token in ids]


def verify(ids: torch.Tensor, mask: torch.Tensor, answers: torch.Tensor) -> torch.Tensor:
    """Return 1.0 for completions (N, T) that end, hold one ``#``, and have
    the right digit and nothing else behind it, (N,).
    """
    length = mask.sum(-1)
    last = [ids.gather(1, (length - back).clamp_min(0)[:, None])[:, 0] for back in (1, 2, 3)]
    once = ((ids == NUMBER["#"]) & mask).sum(-1) == 1
    right = (last[0] == END) & (last[1] == answers + NUMBER["0"]) & (last[2] == NUMBER["#"])
    return (right & once & (length >= 3)).float()
