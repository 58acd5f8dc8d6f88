"""Transformed distribution matching (arXiv:2302.10363)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

import torch
from torch import nn

from bench import Meta, MethodCard, Run

from ._transport import Map, Transport

_MOST = 64
"""Hidden units at most. A table of 200 columns would have 400, and one run would take minutes."""


class TransformedMatching(Transport):
    """Compare batches under an invertible map, which is learned with the hidden cells."""

    card: ClassVar = MethodCard(
        name="tdm",
        title="Transformed distribution matching",
        track=("imputation", "missing-data"),
        paper="arXiv:2302.10363",
        bibtex="""@inproceedings{zhao2023transformed,
  title = {Transformed Distribution Matching for Missing Value Imputation},
  author = {Zhao, He and Sun, Ke and Dezfouli, Amir and Bonilla, Edwin V.},
  booktitle = {International Conference on Machine Learning},
  year = {2023},
  eprint = {2302.10363},
  archivePrefix = {arXiv}
}""",
        claim="More accurate than transport in the data space and other imputers, whatever hides "
        "the values.",
        official_code="ok",
        deviates="2,000 steps of at most 64 rows; the authors run 10,000 steps of up to 512 "
        "(settings). Hidden layers have at most 64 units; the authors have two for each column. "
        "Rows that are not in the table get the mean of the ten nearest completed rows, since the "
        "paper fills the table alone.",
        signal="features",
        libraries=("scipy",),
        stacked=True,
        defaults_from="paper",
    )
    settings: ClassVar = {"paper": {"steps": 10000, "batch": 512}}
    depth: Annotated[int, Meta(ge=0, le=10)] = 3
    """Coupling blocks of the map; 0: the identity."""
    batch: Annotated[int, Meta(ge=2)] = 64
    """Rows of a batch, half of those of ``ot``: the nets take most of a step's time. A table of
    fewer than twice as many gives batches of the largest power of two in half of its rows.
    """
    width: Annotated[int, Meta(ge=1)] = 2
    """Units of a hidden layer of a block's nets, for each column of the table; 64 at most."""

    def transform(self, columns: int, runs: Sequence[Run]) -> tuple[Map, list[nn.Parameter]]:
        """Draw the blocks of the map."""
        if columns < 2:
            return super().transform(columns, runs)
        half, hidden = columns // 2, min(self.width * columns, _MOST)
        sides = [(columns - half, half), (half, columns - half)] * self.depth
        nets = [
            _Subnets(inner, hidden, out, runs, place) for place, (inner, out) in enumerate(sides)
        ]

        def through(rows: torch.Tensor) -> torch.Tensor:
            one, other = rows[..., :half], rows[..., half:]
            for first, second in zip(nets[::2], nets[1::2], strict=True):
                one = _coupled(one, first(other))
                other = _coupled(other, second(one))
            return torch.cat([one, other], -1)

        return through, [part for net in nets for part in net.parameters()]


def _coupled(rows: torch.Tensor, said: torch.Tensor) -> torch.Tensor:
    """Return one half of the columns (K, B, out) scaled and shifted by what nets say of the other
    half (2K, B, out); the logarithm of a scale is between -2 and 2, by 2 * .636 atan(s).
    """
    scale, shift = said.chunk(2)
    moved: torch.Tensor = rows * (1.272 * scale.atan()).exp() + shift
    return moved


class _Subnets(nn.Module):
    """K perceptrons that say scales and K that say shifts, each of two hidden layers with SELU, in
    float64, drawn as torch's layers are.
    """

    def __init__(self, inner: int, hidden: int, out: int, runs: Sequence[Run], place: int) -> None:
        super().__init__()
        drawn = [
            run.torch_generator("init", place, what, device="cpu")
            for what in ("scale", "shift")
            for run in runs
        ]
        self.weights, self.biases = nn.ParameterList(), nn.ParameterList()
        for width, height in ((inner, hidden), (hidden, hidden), (hidden, out)):
            bound = width**-0.5
            for shape, kept in (((width, height), self.weights), ((1, height), self.biases)):
                own = [
                    torch.empty(shape, dtype=torch.float64).uniform_(-bound, bound, generator=each)
                    for each in drawn
                ]
                kept.append(nn.Parameter(torch.stack(own).to(runs[0].device)))

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Map rows (K, B, inner) to scales and shifts (2K, B, out)."""
        rows = torch.cat([rows, rows])
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            rows = torch.baddbmm(bias, rows, weight)
            if layer < 2:
                rows = nn.functional.selu(rows)
        return rows
