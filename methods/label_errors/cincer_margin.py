"""The margin by which a model prefers another label: the suspicion of CINCER (arXiv:2106.03922)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

import numpy as np
import torch

from bench import Meta, MethodCard, Run
from bench.tracks.label_errors import Solution
from bench.tracks.noisy_labels import NoisyLabelMethod, Problem, Seeds, train


class CincerMargin(NoisyLabelMethod):
    """Train a net on each half of the rows; a row is wrong for which the net of the other half
    clearly prefers another label.
    """

    card: ClassVar = MethodCard(
        name="cincer-margin",
        title="Margin of two halves' nets (CINCER)",
        track="label-errors",
        paper="arXiv:2106.03922",
        bibtex="""@inproceedings{teso2021interactive,
  title = {Interactive Label Cleaning with Example-based Explanations},
  author = {Teso, Stefano and Bontempelli, Andrea and Giunchiglia, Fausto and Passerini, Andrea},
  booktitle = {NeurIPS},
  year = {2021},
  eprint = {2106.03922},
  archivePrefix = {arXiv}
}""",
        official_code="ok",
        deviates="The suspicion alone, on rows that are all there; CINCER meets them one by one, "
        "asks a person and shows counter-examples, from a margin of .2 on. The nets of two halves "
        "and the threshold of .25 are those of the benchmark AQuA, whose code compares the "
        "prediction with the first class instead of the given label; here it is the given label, "
        "as in the code of CINCER's authors.",
        signal="oof",
        defaults_from="here",
        tuning={"threshold": (0.0, 0.1, 0.25, 0.5)},
    )
    threshold: Annotated[float, Meta(ge=0, le=1)] = 0.25
    """Least margin p(predicted) - p(given) of a flagged row."""

    def solve_stacked(self, problems: Sequence[Problem], runs: Sequence[Run]) -> list[Solution]:  # type: ignore[override]
        """Solve one by one."""
        return [self.solve(problem, run) for problem, run in zip(problems, runs, strict=True)]

    def solve(self, problem: Problem, run: Run) -> Solution:  # type: ignore[override]
        """Train on each half, judge the other one."""
        seeds = Seeds([problem], [run])
        first = _half(problem.y, run.numpy_generator("method", "halves")).to(seeds.device)
        p = seeds.zeros(seeds.n_rows, problem.n_classes, dtype=torch.float64)
        for number, half in enumerate((first, ~first)):
            rows, others = (part.nonzero().view(1, -1) for part in (half, ~half))
            part = seeds.part(rows, "half", number)
            part.nets = part.build(first=number)
            train(self, part, None, report=False)
            p[others[0]] = part.logits(part.nets, others)[0].double().softmax(-1)
        margin = p.amax(1) - p.gather(1, problem.y.to(p.device)[:, None])[:, 0]
        return Solution(suspicion=margin, flags=margin > self.threshold)


def _half(labels: torch.Tensor, generator: np.random.Generator) -> torch.Tensor:
    """Return which rows (N,) are of the first half: every other one of each class."""
    y = labels.cpu().numpy()
    order = generator.permutation(len(y))
    half = np.empty(len(y), dtype=bool)
    half[order[np.argsort(y[order], kind="stable")]] = np.arange(len(y)) % 2 == 0
    return torch.from_numpy(half)
