"""What methods share that move the hidden cells until batches of the table look alike.

Shapes: K members (seeds), N rows, d columns, B rows of a batch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import msgspec
import torch
from scipy.optimize import linear_sum_assignment

from bench import InvalidRun, Meta, Run
from bench.tracks.imputation import Fill, Filled, Imputer, observed

NEIGHBOURS = 10
"""Completed rows that fill a row which is not in the table."""
START = 0.1
"""Standard deviation around the columns' means from which hidden cells start."""

Map = Callable[[torch.Tensor], torch.Tensor]
"""From rows (K, B, d) to rows (K, B, d), member by member."""


class Transport(Imputer):
    """Hidden cells are parameters: two batches of the table are drawn in each step, and the cells
    move down the cost of carrying the one to the other.
    """

    steps: Annotated[int, Meta(ge=1)] = 2000
    """Steps."""
    batch: Annotated[int, Meta(ge=2)] = 128
    """Rows of a batch; in a table of fewer than twice as many, the largest power of two in half of
    its rows.
    """
    lr: Annotated[float, Meta(gt=0)] = 0.01
    """Rate of RMSprop."""

    def transform(self, columns: int, runs: Sequence[Run]) -> tuple[Map, list[torch.nn.Parameter]]:
        """Return the map under which batches are compared, and its parameters (K, ...)."""
        return (lambda rows: rows), []

    def solve_stacked(self, problems: Sequence[Any], runs: Sequence[Run]) -> list[Any]:
        """Fill several tables, or train on them, in no more steps than the problem allows."""
        most = problems[0].steps or self.steps
        own = msgspec.structs.replace(self, steps=min(self.steps, most))
        return super(Transport, own).solve_stacked(problems, runs)

    def fits(self, tables: Sequence[torch.Tensor], runs: Sequence[Run]) -> list[Filled]:
        """Complete K tables (N, d) at once."""
        x = torch.stack([table.double() for table in tables])
        holes = x.isnan()
        cells, drawn = _start(x, runs)
        through, parameters = self.transform(x.shape[2], runs)
        rates = [torch.optim.RMSprop([cells], self.lr)]
        if parameters:
            rates.append(torch.optim.RMSprop(parameters, self.lr))
        size = self.batch
        if size > x.shape[1] // 2:
            size = 2 ** int(math.log2(max(2, x.shape[1] // 2)))
        for step in range(self.steps):
            # both batches go through the map as one
            pairs = [torch.stack([_rows(own, x.shape[1], size) for own in drawn]) for _ in "ab"]
            table = torch.where(holes, cells, x)
            rows = through(_taken(table, torch.cat(pairs, 1).to(x.device)))
            loss = transport(*rows.split(size, 1))
            for rate in rates:
                rate.zero_grad()
            loss.sum().backward()
            for rate in rates:
                rate.step()
            if (step + 1) % max(1, self.steps // 10) == 0:
                for run, cost in zip(runs, loss.tolist(), strict=True):
                    run.log(step + 1, transport=cost)
        done = torch.where(holes, cells.detach(), x)
        return [Filled(table=own, fill=nearest_rows(own)) for own in done]


def _start(
    x: torch.Tensor, runs: Sequence[Run]
) -> tuple[torch.nn.Parameter, list[torch.Generator]]:
    """Return where cells start (K, N, d), column means plus noise, and a generator a member."""
    drawn = [run.torch_generator("method", device="cpu") for run in runs]
    noise = [torch.randn(x.shape[1:], generator=own, dtype=x.dtype) for own in drawn]
    mean = x.nanmean(1, keepdim=True).nan_to_num(0.0)
    return torch.nn.Parameter(mean + START * torch.stack(noise).to(x.device)), drawn


def _rows(generator: torch.Generator, rows: int, size: int) -> torch.Tensor:
    return torch.randperm(rows, generator=generator)[:size]


def _taken(table: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    """Return the rows (K, B) of a table (K, N, d), (K, B, d)."""
    return table.gather(1, rows[..., None].expand(-1, -1, table.shape[2]))


def transport(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """Return the cost of carrying each batch (K, B, d) to the other, (K,): the mean distance
    between rows that the best assignment pairs. Of equal weights no plan is better than an
    assignment.

    Raises:
        InvalidRun: a distance is not finite.
    """
    apart = torch.cdist(one.detach(), other.detach(), compute_mode="donot_use_mm_for_euclid_dist")
    if not bool(apart.isfinite().all()):
        raise InvalidRun("cells moved so far that distances are not finite; take a smaller lr")
    plans = [linear_sum_assignment(own)[1] for own in apart.cpu().numpy()]
    places = torch.stack([torch.from_numpy(plan) for plan in plans]).to(one.device)
    cost: torch.Tensor = torch.linalg.vector_norm(one - _taken(other, places), dim=2).mean(1)
    return cost


def nearest_rows(table: torch.Tensor) -> Fill:
    """Return the fill of other rows: holes get the mean over the completed rows (N, d) that are
    nearest in the observed cells.
    """

    def fill(rows: torch.Tensor) -> torch.Tensor:
        own = table.to(rows.device)
        x = rows.to(own.dtype)
        seen, known = (~x.isnan()).to(own.dtype), x.nan_to_num(0.0)
        apart = known.square().sum(1, keepdim=True) - 2 * known @ own.T + seen @ own.T.square()
        near = apart.topk(min(NEIGHBOURS, len(own)), largest=False).indices
        return observed(x, own[near].mean(1))

    return fill
