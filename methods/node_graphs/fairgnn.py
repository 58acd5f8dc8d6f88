"""FairGNN: predictions that do not follow a second label, few of which are known
(arXiv:2009.01454).
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import torch
from torch.nn import functional as F

from bench import InvalidRun, Meta, MethodCard
from bench.tracks.node_graphs import Members, NodeMethod, cross_entropy
from bench.training import optimisers
from bench.training.node_mixers import Symmetric
from bench.training.node_nets import Affine, NodeNet, PlainNet, ResidualNet
from bench.training.stack import affine


class FairGNN(NodeMethod):
    """Estimate the second label by a graph net; then train the classifier with a penalty on its
    covariance with the estimates, and against an adversary that reads them off the last units.
    """

    card: ClassVar = MethodCard(
        name="fairgnn",
        title="FairGNN: an estimated second label, covariance and adversary",
        track="node-graphs",
        paper="arXiv:2009.01454",
        bibtex="""@inproceedings{dai2021say,
  title = {Say No to the Discrimination: Learning Fair Graph Neural Networks with Limited Sensitive
    Attribute Information},
  author = {Dai, Enyan and Wang, Suhang},
  booktitle = {WSDM},
  year = {2021},
  eprint = {2009.01454},
  archivePrefix = {arXiv}
}""",
        claim="With few known second labels, predictions become fair at little loss of accuracy.",
        official_code="flawed",
        deviates="The classifier is the residual net of gcn with two logits, and rate, steps "
        "and dropout are the task's. beta is 0, which switches the adversary off: at the "
        "authors' 1 its loss grows without bound where estimates are confident (settings). The "
        "estimator is not trained further, as in the authors' code, whose optimiser holds it "
        "without a gradient. The authors choose the epoch on test nodes of NBA; here validation "
        "nodes choose it.",
        needs=("sensitive",),
        stacked=True,
        defaults_from="here",
    )
    settings: ClassVar = {
        "nba": {"alpha": 10.0, "beta": 1.0},
        "pokec-z": {"alpha": 100.0, "beta": 1.0},
        "command": {"alpha": 4.0, "beta": 0.01},
    }
    alpha: Annotated[float, Meta(ge=0)] = 10.0
    """Weight of the covariance."""
    beta: Annotated[float, Meta(ge=0)] = 0.0
    """Weight of the adversary; 0: none."""
    shuffled: bool = False
    """The control: permute the estimates over the nodes, so that they say nothing."""

    def net(self, members: Members) -> ResidualNet:
        """Return the net of ``gcn``."""
        problem = members.problem
        if problem.n_classes != 2:
            raise InvalidRun(
                f"fairgnn is for two classes, and the problem has {problem.n_classes}; take a "
                "task with two"
            )
        return ResidualNet(
            members.members,
            (members.x.shape[2], problem.hidden, problem.n_classes),
            [Symmetric() for _ in range(problem.layers)],
            problem.dropout,
        )

    def start(self, members: Members, nets: NodeNet) -> _State:
        """Train the estimator on the nodes whose second label is known."""
        return _State(members, self.shuffled)

    def loss(self, state: _State, members: Members, nets: NodeNet) -> torch.Tensor:
        """Cross entropy + alpha |mean (s - mean s)(y - mean y)| - beta BCE(a(h), s), the last two
        over all nodes (K,).
        """
        state.units = nets.features(members.x, members.graph)
        logits = nets.head(state.units, members.graph)
        y = logits.softmax(-1)[..., 1]
        guess = affine(state.units, state.adversary.weight.detach(), state.adversary.bias.detach())
        return (
            cross_entropy(logits, members)
            + self.alpha * covariance(state.told, y).abs()
            - self.beta * state.against(guess)
        )

    def after_step(self, state: _State, members: Members, step: int) -> None:
        """Let the adversary take a step on the units of the step before."""
        state.optimiser.zero_grad(set_to_none=True)
        state.against(state.adversary(state.units.detach())).sum().backward()
        state.optimiser.step()

    def finish(self, state: _State, members: Members, k: int) -> dict[str, Any]:
        """Return what the estimator says of each node."""
        return {"sensitive": state.estimate[k]}


class _State:
    """What the estimator says, and the adversary.

    Attributes:
        estimate: probability that the second label is 1 (K, n).
        told: the same, with the known labels in their places (K, n).
        units: the last units of the classifier (K, n, h).
    """

    units: torch.Tensor

    def __init__(self, members: Members, shuffled: bool) -> None:
        known = members.known()
        self.estimate = _estimated(members, known)
        self.told = torch.where(known >= 0, known.to(self.estimate.dtype), self.estimate)
        if shuffled:
            draws = [run.torch_generator("method", "order", device="cpu") for run in members.runs]
            orders = [torch.randperm(members.nodes, generator=draw) for draw in draws]
            self.told = self.told.gather(1, torch.stack(orders).to(members.device))
        self.adversary = Affine(members.members, members.problem.hidden, 1)
        for k, run in enumerate(members.runs):
            with run.seeded("init", "adversary"):
                self.adversary.draw(k)
        self.adversary.to(members.device)
        self.optimiser = _adam(self.adversary, members)

    def against(self, guess: torch.Tensor) -> torch.Tensor:
        """Return the mean cross entropy of guesses (K, n, 1) with what is told (K,)."""
        losses = F.binary_cross_entropy_with_logits(guess[..., 0], self.told, reduction="none")
        return losses.mean(1)


def covariance(s: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Return mean (s - mean s)(y - mean y) over the nodes (K,), of (K, n) each."""
    return ((s - s.mean(1, keepdim=True)) * (y - y.mean(1, keepdim=True))).mean(1)


def _estimated(members: Members, known: torch.Tensor) -> torch.Tensor:
    """Return what a graph net trained on the known second labels says of all nodes (K, n)."""
    problem, has = members.problem, (known >= 0).to(members.x.dtype)
    if bool((has.sum(1) == 0).any()):
        raise InvalidRun("no second label is known, and nothing can be estimated; tell some")
    sizes = (members.x.shape[2], problem.hidden, 1)
    nets = PlainNet(members.members, sizes, problem.dropout)
    nets.draw([run.seeded("init", "estimator") for run in members.runs])
    nets.to(members.device)
    nets.drop_from([run.torch_generator("augment", "estimator") for run in members.runs])
    optimiser, target = _adam(nets, members), known.clamp_min(0).to(members.x.dtype)
    for _ in range(problem.steps):
        said = nets(members.x, members.graph)[..., 0]
        losses = F.binary_cross_entropy_with_logits(said, target, reduction="none")
        optimiser.zero_grad(set_to_none=True)
        ((losses * has).sum(1) / has.sum(1)).sum().backward()
        optimiser.step()
        members.count(forward=members.nodes, backward=members.nodes)
    nets.eval()
    with torch.no_grad():
        found: torch.Tensor = nets(members.x, members.graph)[..., 0].sigmoid()
    return found


def _adam(module: torch.nn.Module, members: Members) -> torch.optim.Adam:
    optimiser = optimisers.adam(module.parameters(), members.problem.lr)
    for group in optimiser.param_groups:
        group["weight_decay"] = members.problem.weight_decay
    return optimiser
