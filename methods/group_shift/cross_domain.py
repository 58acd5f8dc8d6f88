"""Cross-domain ensembles (arXiv:2103.10919)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Literal

import torch
from torch import nn

from bench import InvalidRun, MethodCard
from bench.tracks.group_shift import Batch, GroupMethod, Model, Seeds, cross_entropy
from bench.training.nets import StackedNet, build

from ._domains import DOMAINS

Moments = tuple[torch.Tensor, torch.Tensor]


class Middle:
    """A middle domain of every member's pictures, standardised by its training rows.

    Args:
        name: of the domain.
        low: the least value of the training rows (K,).
        high: the largest (K,).
    """

    def __init__(self, name: str, low: torch.Tensor, high: torch.Tensor) -> None:
        self.name, self.low, self.high = name, low, high
        self.mean, self.spread = torch.zeros_like(low), torch.ones_like(low)

    def fit(self, x: Sequence[torch.Tensor]) -> None:
        """Take mean and spread from training rows (N, c, H, W), a member each."""
        found = [self.raw(rows, k) for k, rows in enumerate(x)]
        self.mean = torch.stack([rows.mean() for rows in found])
        self.spread = torch.stack([rows.std() for rows in found]).clamp_min(1e-8)

    def raw(self, x: torch.Tensor, k: int) -> torch.Tensor:
        """Return the domain of a member's pictures (n, c, H, W), whose pixels are put back into
        [0, 1] first.
        """
        on_scale = ((x - self.low[k]) / (self.high[k] - self.low[k])).clamp(0, 1)
        return DOMAINS[self.name](on_scale)

    def of(self, x: torch.Tensor, k: int) -> torch.Tensor:
        """Return the standardised domain of a member's pictures."""
        return (self.raw(x, k) - self.mean[k]) / self.spread[k]


class _Nets(StackedNet):
    """A net a domain and member: one stack for each domain, since a domain may have more channels
    than another.
    """

    def __init__(self, stacks: Sequence[StackedNet], middles: Sequence[Middle]) -> None:
        super().__init__()
        self.stacks, self.middles = nn.ModuleList(stacks), list(middles)
        self.members = stacks[0].members

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map inputs (K, B, c, H, W) to logits (M, K, B, C)."""
        found = []
        for stack, middle in zip(self.stacks, self.middles, strict=True):
            seen = [middle.of(own, k) for k, own in enumerate(x)]
            found.append(stack(torch.stack(seen)))
        return torch.stack(found)


class _Merged(nn.Module):
    """The nets of one member, each on its domain, and what they say together."""

    def __init__(self, nets: _Nets, k: int, merge: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        stacks: Any = nets.stacks
        self.nets = nn.ModuleList(stack.member(k) for stack in stacks)
        self._middles, self._k, self._merge = nets.middles, k, merge
        self.eval()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map inputs (n, c, H, W) to logits (n, C)."""
        seen = zip(self.nets, self._middles, strict=True)
        said = torch.stack([net(middle.of(x, self._k)) for net, middle in seen])
        return self._merge(said.log_softmax(-1))


def mean(said: torch.Tensor) -> torch.Tensor:
    """Return the log of the mean probability (n, C) of log probabilities (M, n, C)."""
    return said.logsumexp(0).log_softmax(-1)


def by_entropy(said: torch.Tensor, temperature: float = 0.2) -> torch.Tensor:
    """Return the log of the mean probability (n, C) of log probabilities (M, n, C), weighted by the
    softmax over M of minus their entropies over the temperature.
    """
    entropy = -(said.exp() * said).sum(-1)
    weight = (-entropy / temperature).log_softmax(0)[..., None]
    return (said + weight).logsumexp(0).log_softmax(-1)


def surest(said: torch.Tensor) -> torch.Tensor:
    """Return of log probabilities (M, n, C) those of the least entropy (n, C)."""
    best = (said.exp() * said).sum(-1).argmax(0)
    return said.gather(0, best[None, :, None].expand(1, *said.shape[1:]))[0]


MERGES: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "mean": mean,
    "entropy": by_entropy,
    "surest": surest,
}


class CrossDomainEnsemble(GroupMethod):
    """Train a net on each of several middle domains of the pictures, and merge what they say."""

    card: ClassVar = MethodCard(
        name="cross-domain",
        title="Cross-domain ensemble",
        track="group-shift",
        paper="arXiv:2103.10919",
        bibtex="""@inproceedings{yeo2021robustness,
  title = {Robustness via Cross-Domain Ensembles},
  author = {Yeo, Teresa and Kar, O{\\u{g}}uzhan Fatih and Zamir, Amir},
  booktitle = {ICCV},
  year = {2021},
  eprint = {2103.10919},
  archivePrefix = {arXiv}
}""",
        claim="Nets on different middle domains fail differently under shift, and merged by their "
        "uncertainty they are more robust than deep ensembles.",
        official_code="ok",
        deviates="The paper merges regressions by learnt uncertainties; its code for classes "
        "merges nothing. Here probabilities are averaged, or weighted by entropy. Grey is left "
        "out of pictures with one channel, where it is the picture. Six or seven nets are trained; "
        "'deep-ensemble[members=6]' has as many.",
        inputs="pictures",
        signal="none",
        stacked=True,
        defaults_from="here",
        trials=3,
        tuning={"merge": ("mean", "entropy", "surest")},
    )
    domains: tuple[str, ...] = (
        "identity",
        "emboss",
        "low-pass",
        "sharp",
        "grey",
        "sobel",
        "laplace",
    )
    """Middle domains, one net each."""
    merge: Literal["mean", "entropy", "surest"] = "mean"
    """The mean probability, weighted by softmax(-entropy / .2), or of the net of least entropy."""

    def start(self, seeds: Any) -> Any:
        """Put every member's pictures through the domains, and build a stack for each.

        Raises:
            InvalidRun: inputs are no pictures, or there is no such domain.
        """
        problem = seeds.problem
        unknown = [name for name in self.domains if name not in DOMAINS]
        if unknown or not self.domains:
            raise InvalidRun(
                f"domains is {self.domains}; give some of {', '.join(DOMAINS)}, each a name"
            )
        if problem.x.dim() != 4:
            raise InvalidRun(
                f"an input has the shape {tuple(problem.x.shape[1:])}; the middle domains are of "
                "pictures (channels, height, width), so run it on a task of pictures"
            )
        x = [one.x.to(seeds.device) for one in seeds.problems]
        low, high = (torch.stack([getattr(rows, end)() for rows in x]) for end in ("amin", "amax"))
        names = [name for name in self.domains if name != "grey" or problem.x.shape[1] > 1]
        middles = [Middle(name, low, high) for name in names or ["identity"]]
        for middle in middles:
            middle.fit(x)
        seeds.nets = _Nets(
            [_stack(seeds, middle, place) for place, middle in enumerate(middles)], middles
        )
        return seeds

    def after_epoch(self, state: Any, epoch: int) -> None:
        """Count the visits of the nets beside the first, which the loop counts."""
        visits = (len(state.nets.stacks) - 1) * state.n_rows
        state.count(forward=visits, backward=visits)

    def forward(self, state: Any, nets: StackedNet, batch: Batch) -> torch.Tensor:
        """Return logits (M, K, B, C)."""
        found: torch.Tensor = nets(batch.x)
        return found

    def loss(self, state: Any, batch: Batch, logits: torch.Tensor) -> torch.Tensor:
        """Cross entropy of each net."""
        return cross_entropy(logits, batch.y.expand(logits.shape[:-1]))

    def readout(self, state: Any, nets: StackedNet, k: int) -> Model:
        """Return the nets of member ``k`` with their domains, merged."""
        stacks: Any = nets
        return _Merged(stacks, k, MERGES[self.merge])


def _stack(seeds: Seeds, middle: Middle, place: int) -> StackedNet:
    """Return fresh nets for the domain, one a member, from the stream of its place; the first are
    those of the baseline where the domain has as many channels as the pictures.
    """
    problem = seeds.problem
    shape = middle.raw(problem.x[:1].to(seeds.device), 0).shape[1:]
    if not place and shape == problem.x.shape[1:]:
        return seeds.nets
    return build(
        problem.net,
        shape,
        problem.n_classes,
        [run.seeded("init", place or "first") for run in seeds.runs],
        seeds.device,
        widths=problem.widths,
        batch=problem.batch_size,
    )
