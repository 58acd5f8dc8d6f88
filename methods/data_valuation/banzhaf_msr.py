"""Data Banzhaf by maximum sample reuse (arXiv:2205.15466)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, Method, MethodCard, Run
from bench.tracks.data_valuation import FITS, Problem, Reported, Solution
from bench.tracks.data_valuation_games import game_of
from bench.tracks.data_valuation_sampling import by_membership


class Banzhaf(Method):
    """Compare the sets with a row with those without it; each set serves all rows."""

    card: ClassVar = MethodCard(
        name="banzhaf-msr",
        title="Data Banzhaf",
        track="data-valuation",
        paper="arXiv:2205.15466",
        bibtex="""@inproceedings{wang2023data,
  title = {Data Banzhaf: A Robust Data Valuation Framework for Machine Learning},
  author = {Wang, Jiachen T. and Jia, Ruoxi},
  booktitle = {AISTATS},
  year = {2023},
  eprint = {2205.15466},
  archivePrefix = {arXiv}
}""",
        claim="Of all semivalues the Banzhaf value keeps its order best under a noisy utility.",
        signal="utility",
        needs=("utility",),
        defaults_from="here",
    )
    subsets: Annotated[int, Meta(ge=4)] = 2000
    """Sets, one fit each; a row is in each with probability one half."""

    def solve(self, problem: Problem, run: Run) -> Solution:
        """Draw sets; report what the first of them give at fixed numbers of fits."""
        game = game_of(problem)
        count = min(self.subsets, problem.max_fits or self.subsets)
        drawn = run.numpy_generator("method").random((count, game.n)) < 0.5
        masks = torch.from_numpy(drawn).to(game.device)
        values = game.values(masks)
        run.count(forward=game.visits)
        for fits in FITS:
            if fits <= count:
                run.report(fits, Reported(value=by_membership(masks[:fits], values[:fits])))
        half = count // 2
        halves = [by_membership(masks[at], values[at]) for at in (slice(half), slice(half, None))]
        return Solution(
            value=by_membership(masks, values),
            n_fits=game.fits,
            halves=torch.stack(halves),
            estimates="banzhaf",
        )
