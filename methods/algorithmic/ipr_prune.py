"""Units without a frequency of their own are removed (arXiv:2310.13061)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.algorithmic import AlgorithmicMethod, Members, Problem
from bench.training.square_net import SquareNets


class IprPrune(AlgorithmicMethod):
    """Train with weight decay, then remove the units whose weights have the least inverse
    participation ratio: the net's memory of wrong labels.
    """

    card: ClassVar = MethodCard(
        name="ipr-prune",
        title="Units without a frequency removed",
        track="algorithmic",
        paper="arXiv:2310.13061",
        bibtex="""@inproceedings{doshi2024grok,
  title = {To grok or not to grok: Disentangling generalization and memorization on corrupted
           algorithmic datasets},
  author = {Doshi, Darshil and Das, Aritra and He, Tianyu and Gromov, Andrey},
  booktitle = {ICLR},
  year = {2024},
  eprint = {2310.13061},
  archivePrefix = {arXiv}
}""",
        claim="Units of a low ratio memorise wrong labels; without them the net keeps the rule and "
        "forgets these.",
        official_code="ok",
        deviates="Units are removed once, after training, and not one after the other.",
        signal="none",
        needs=("codes",),
        stacked=True,
        defaults_from="here",
        trials=None,
        tuning={"share": (0.4, 0.5, 0.6)},
    )
    strength: Annotated[float, Meta(ge=0, le=99)] = 3.0
    """Weight decay in units of the rate."""
    share: Annotated[float, Meta(ge=0, lt=1)] = 0.5
    """Share of the units that is removed."""

    def decay(self, problem: Problem) -> float:
        """Return the strength."""
        return self.strength

    def finish(self, state: None, members: Members) -> None:
        """Put the outgoing weights of these units to 0."""
        nets = members.nets
        assert isinstance(nets, SquareNets), "a task that offers codes has this net"
        with torch.no_grad():
            ratio = sum(participation(own) for own in (nets.first, nets.second, nets.out))
            assert isinstance(ratio, torch.Tensor)
            removed = int(self.share * ratio.shape[1])
            least = ratio.argsort(dim=1)[:, None, :removed]
            nets.out.scatter_(2, least.expand(-1, nets.out.shape[1], -1), 0.0)


def participation(weights: torch.Tensor) -> torch.Tensor:
    """Return sum |w|^4 / (sum |w|^2)^2 over the frequencies of each unit's weights (K, p, N), (K,
    N).
    """
    found = torch.fft.rfft(weights.double(), dim=1)[:, 1:].abs().square()
    return found.square().sum(1) / found.sum(1).square().clamp_min(1e-30)
