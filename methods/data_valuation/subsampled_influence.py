"""Subsampled influence (arXiv:2008.03703)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, Method, MethodCard, Run
from bench.tracks.data_valuation import FITS, Problem, Reported, Solution
from bench.tracks.data_valuation_games import game_of
from bench.tracks.data_valuation_sampling import by_membership


class SubsampledInfluence(Method):
    """Compare models fitted on large random parts with a row with those fitted without it."""

    card: ClassVar = MethodCard(
        name="subsampled-influence",
        title="Subsampled influence",
        track="data-valuation",
        paper="arXiv:2008.03703",
        bibtex="""@inproceedings{feldman2020what,
  title = {What Neural Networks Memorize and Why: Discovering the Long Tail via Influence
    Estimation},
  author = {Feldman, Vitaly and Zhang, Chiyuan},
  booktitle = {NeurIPS},
  year = {2020},
  eprint = {2008.03703},
  archivePrefix = {arXiv}
}""",
        deviates="The influence on all validation rows together, not on one test row; 2,000 fits "
        "of the utility's learner, where the paper has 2,000 to 4,000 nets.",
        signal="utility",
        needs=("utility",),
        defaults_from="paper",
    )
    share: Annotated[float, Meta(gt=0, lt=1)] = 0.7
    """Share of the rows that is in each part."""
    subsets: Annotated[int, Meta(ge=4)] = 2000
    """Parts, one fit each."""

    def solve(self, problem: Problem, run: Run) -> Solution:
        """Draw parts of one size; report what the first of them give at fixed numbers of fits."""
        game = game_of(problem)
        count = min(self.subsets, problem.max_fits or self.subsets)
        size = min(max(1, round(self.share * game.n)), game.n - 1)
        drawn = run.numpy_generator("method").random((count, game.n))
        places = torch.from_numpy(drawn).to(game.device).argsort(dim=1).argsort(dim=1)
        masks = places < size
        values = game.values(masks)
        run.count(forward=game.visits)
        for fits in FITS:
            if fits <= count:
                run.report(fits, Reported(value=by_membership(masks[:fits], values[:fits])))
        half = count // 2
        halves = [by_membership(masks[at], values[at]) for at in (slice(half), slice(half, None))]
        return Solution(
            value=by_membership(masks, values), n_fits=game.fits, halves=torch.stack(halves)
        )
