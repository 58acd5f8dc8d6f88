"""Clusterwise regression (doi:10.1007/BF02265317): what predictors by least squares reach."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import InvalidRun, Meta, MethodCard, Run
from bench.contracts import Method
from bench.tracks.open_ended import Problem, Solution


class ClusterwiseRegression(Method):
    """Polynomials and owners by turns: fit each polynomial to its batches, give each batch to the
    polynomial that fits it best; the best of several random starts.
    """

    card: ClassVar = MethodCard(
        name="clusterwise",
        title="Clusterwise regression with polynomials",
        track="open-ended",
        paper="doi:10.1007/BF02265317",
        bibtex="""@article{spath1979algorithm,
  title = {Algorithm 39: Clusterwise Linear Regression},
  author = {Sp{\\"a}th, Helmuth},
  journal = {Computing},
  volume = {22},
  number = {4},
  pages = {367--373},
  year = {1979}
}""",
        claim="Exchanging rows between clusters lowers the total squared error of a regression "
        "in each.",
        deviates="Whole batches are exchanged, all at once. Polynomials take the place of linear "
        "functions.",
        signal="loss",
        plain=True,
        defaults_from="here",
    )
    k: Annotated[int, Meta(ge=0)] = 0
    """Polynomials; 0: as many as the problem allows."""
    degree: Annotated[int, Meta(ge=1, le=9)] = 5
    """Of the polynomials, in each input by itself."""
    starts: Annotated[int, Meta(ge=1)] = 20
    """Random starts."""
    rounds: Annotated[int, Meta(ge=1)] = 30
    """Turns of each start."""

    def solve(self, problem: Problem, run: Run) -> Solution:
        """Take the start of the least training error.

        Raises:
            InvalidRun: there would be more predictors than the problem allows.
        """
        k = self.k or problem.predictors
        if k > problem.predictors:
            raise InvalidRun(
                f"k is {k} and the problem allows {problem.predictors} predictors; use at most "
                f"k={problem.predictors}, or 0 for as many"
            )
        terms, answers = self._terms(problem.x), problem.y.double()
        gram, moment = terms.mT @ terms, (terms.mT @ answers[..., None])[..., 0]
        drawn = run.numpy_generator("method").integers(0, k, (self.starts, len(answers)))
        owner = torch.from_numpy(drawn).to(answers.device)
        for _ in range(self.rounds):
            member = torch.nn.functional.one_hot(owner, k).double().mT  # (starts, k, n)
            own = (member @ gram.flatten(1)).unflatten(2, gram.shape[1:])
            ridge = 1e-6 * torch.eye(own.shape[-1], dtype=own.dtype, device=own.device)
            weights = torch.linalg.solve(own + ridge, member @ moment)  # (starts, k, terms)
            found = torch.einsum("nbt,skt->sknb", terms, weights)
            errors = (found - answers).square().mean(3)
            owner = errors.argmin(1)
        best = int(errors.amin(1).mean(1).argmin())
        run.count(forward=self.starts * self.rounds * k * answers.numel())
        chosen = weights[best]

        def model(x: torch.Tensor) -> torch.Tensor:
            return (self._terms(x) @ chosen.T.to(x.device)).float()

        return Solution(k=k, model=model, owner=owner[best])

    def _terms(self, x: torch.Tensor) -> torch.Tensor:
        """Return 1 and the powers of each input, (..., 1 + degree d), float64."""
        x = x.double()
        powers = torch.cat([x**power for power in range(1, self.degree + 1)], -1)
        return torch.cat([torch.ones_like(x[..., :1]), powers], -1)
