"""Matrix completion by shrunken singular values (Mazumder et al. 2010)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard, Run
from bench.tracks.imputation import Fill, Filled, Imputer, observed


class SoftImpute(Imputer):
    """Fill holes with a matrix of low nuclear norm: by turns fill with it, and shrink the singular
    values of what was filled.
    """

    card: ClassVar = MethodCard(
        name="soft-impute",
        title="SoftImpute",
        track=("imputation", "missing-data"),
        bibtex="""@article{mazumder2010spectral,
  title = {Spectral Regularization Algorithms for Learning Large Incomplete Matrices},
  author = {Mazumder, Rahul and Hastie, Trevor and Tibshirani, Robert},
  journal = {Journal of Machine Learning Research},
  volume = {11},
  pages = {2287--2322},
  year = {2010}
}""",
        claim="Completes a matrix of low rank from few of its cells.",
        deviates="One penalty instead of a path of them, and the columns' means are taken off "
        "first. A row that is not in the table gets the scores that minimise the same objective "
        "with the columns' factors fixed.",
        signal="features",
        stacked=True,
        defaults_from="here",
    )
    penalty: Annotated[float, Meta(ge=1e-6, lt=1)] = 0.1
    """What singular values are shrunk by, as a share of the largest one of the table with means in
    its holes.
    """
    rounds: Annotated[int, Meta(ge=1)] = 60
    """Rounds."""

    def fits(self, tables: Sequence[torch.Tensor], runs: Sequence[Run]) -> list[Filled]:
        """Complete K tables (N, d) at once."""
        x = torch.stack([table.double() for table in tables])
        mean = x.nanmean(1, keepdim=True).nan_to_num(0.0)
        x = x - mean
        low = torch.zeros_like(x)
        shrink = self.penalty * torch.linalg.matrix_norm(x.nan_to_num(0.0), 2)[:, None]
        for _ in range(self.rounds):
            left, values, right = torch.linalg.svd(observed(x, low), full_matrices=False)
            values = (values - shrink).clamp_min(0)
            low = (left * values[:, None]) @ right
        columns = right.mT * values.sqrt()[:, None]
        return [
            Filled(
                table=observed(x[k], low[k]) + mean[k],
                fill=_scores(columns[k], float(shrink[k]), mean[k]),
            )
            for k in range(len(tables))
        ]


def _scores(columns: torch.Tensor, shrink: float, mean: torch.Tensor) -> Fill:
    """Return the fill of rows whose low-rank part is B a, B the factors (d, r): a = (B_o'B_o +
    shrink)^-1 B_o'x_o over the observed cells o, which every row of the table satisfies once the
    rounds have converged.
    """
    ridge = shrink * torch.eye(columns.shape[1], dtype=columns.dtype, device=columns.device)

    def fill(rows: torch.Tensor) -> torch.Tensor:
        own = columns.to(rows.device)
        x = rows.double() - mean.to(rows.device)
        seen = (~x.isnan()).double()
        gram = torch.einsum("nd,dr,ds->nrs", seen, own, own) + ridge.to(rows.device)
        scores = torch.linalg.solve(gram, x.nan_to_num(0.0) @ own)
        return observed(x, scores @ own.T) + mean.to(rows.device)

    return fill
