"""L2 init: weights are pulled to where they were drawn (arXiv:2308.11958)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.continual import Chunk, ContinualMethod, Members

from ._points import moved, pull, values


class L2Init(ContinualMethod):
    """Add lam |theta - theta_0|^2 to the loss."""

    card: ClassVar = MethodCard(
        name="l2-init",
        title="L2 init",
        track="continual",
        paper="arXiv:2308.11958",
        bibtex="""@article{kumar2023maintaining,
  title = {Maintaining Plasticity in Continual Learning via Regenerative Regularization},
  author = {Kumar, Saurabh and Marklund, Henrik and Van Roy, Benjamin},
  journal = {arXiv preprint},
  year = {2023},
  eprint = {2308.11958},
  archivePrefix = {arXiv}
}""",
        claim="Pulling weights to where they were drawn keeps a net able to learn.",
        signal="none",
        stacked=True,
        defaults_from="here",
        trials=None,
        tuning={"lam": (1e-4, 1e-3, 1e-2)},
    )
    lam: Annotated[float, Meta(ge=0)] = 1e-3
    """Weight of the term."""

    def start(self, members: Members) -> list[torch.Tensor]:
        """Return the weights as drawn."""
        return values(members.nets)

    def before_step(self, state: list[torch.Tensor], members: Members, batch: Chunk) -> None:
        """Add the term's gradient."""
        pull(members.nets, (2 * self.lam * far for far in moved(members.nets, state)))
