"""The detector that guesses."""

from __future__ import annotations

from typing import ClassVar

import torch

from bench import Method, MethodCard, Run
from bench.tracks.label_errors import Problem, Solution


class Guess(Method):
    """Give each row a random suspicion, and flag as many rows as have a wrong label."""

    card: ClassVar = MethodCard(
        name="random",
        title="Random suspicion, the right number of flags",
        track="label-errors",
        signal="none",
        needs=("noise-rate",),
        plain=True,
        defaults_from="here",
    )

    def solve(self, problem: Problem, run: Run) -> Solution:
        """Rank all rows at random; flag the first round(rate N)."""
        assert problem.noise_rate is not None, "the card asks for the noise rate"
        ranks = torch.from_numpy(run.numpy_generator("method").permutation(len(problem.y))).to(
            problem.y.device
        )
        return Solution(
            suspicion=-ranks.float(), flags=ranks < round(problem.noise_rate * len(problem.y))
        )
