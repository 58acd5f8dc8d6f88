"""Spectral regularisation (arXiv:2406.06811)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.continual import Chunk, ContinualMethod, Members

from ._points import pull


class _State:
    """A left and a right vector for each matrix, tensors (K, out) and (K, inputs)."""

    def __init__(self, members: Members) -> None:
        self.left: dict[int, torch.Tensor] = {}
        self.right: dict[int, torch.Tensor] = {}
        draws = [run.torch_generator("method", "power") for run in members.runs]
        for place, own in enumerate(members.nets.parameters()):
            if own.shape[1] > 1:
                drawn = [torch.randn(own.shape[2], generator=g, device=own.device) for g in draws]
                self.right[place] = torch.nn.functional.normalize(torch.stack(drawn), dim=1)

    @torch.no_grad()
    def power(self, place: int, matrix: torch.Tensor) -> torch.Tensor:
        """Take a power step for a matrix (K, out, inputs); return its largest singular value as
        the vectors see it (K,).
        """
        normal = torch.nn.functional.normalize
        left = normal((matrix @ self.right[place][..., None])[..., 0], dim=1)
        right = normal((left[:, None] @ matrix)[:, 0], dim=1)
        self.left[place], self.right[place] = left, right
        return ((left[:, None] @ matrix)[:, 0] * right).sum(1)


class SpectralRegularisation(ContinualMethod):
    """Add lam (sigma_1(W)^k - 1)^2 for every matrix and lam |b|^2k for every bias; the largest
    singular value is followed by one power step a training step.
    """

    card: ClassVar = MethodCard(
        name="spectral",
        title="Spectral regularisation",
        track="continual",
        paper="arXiv:2406.06811",
        bibtex="""@inproceedings{lewandowski2025learning,
  title = {Learning Continually by Spectral Regularization},
  author = {Lewandowski, Alex and Bortkiewicz, Micha{\\l} and Kumar, Saurabh and
            Gy{\\"o}rgy, Andr{\\'a}s and Schuurmans, Dale and Ostaszewski, Mateusz and
            Machado, Marlos C.},
  booktitle = {ICLR},
  year = {2025},
  eprint = {2406.06811},
  archivePrefix = {arXiv}
}""",
        claim="Holding the largest singular value of each layer near 1 keeps a net able to learn.",
        deviates="No code was found, and only the abstract was read: the exponent, the weight and "
        "that biases are pulled to 0 are ours.",
        signal="none",
        stacked=True,
        defaults_from="here",
        trials=None,
        tuning={"lam": (1e-4, 1e-3, 1e-2)},
    )
    lam: Annotated[float, Meta(ge=0)] = 1e-4
    """Weight of the term."""
    k: Annotated[int, Meta(ge=1, le=10)] = 2
    """Exponent of the singular value."""

    def start(self, members: Members) -> _State:
        """Draw the vectors."""
        return _State(members)

    def before_step(self, state: _State, members: Members, batch: Chunk) -> None:
        """Add the term's gradient."""
        parameters = list(members.nets.parameters())
        pull(members.nets, [self.term(state, *placed) for placed in enumerate(parameters)])

    def term(self, state: _State, place: int, own: torch.Tensor) -> torch.Tensor:
        """Return the gradient of the term of one parameter (K, ...)."""
        own, k = own.detach(), self.k
        if place not in state.right:
            length = own.flatten(1).norm(dim=1).view(-1, 1, 1)
            return 2 * k * self.lam * length ** (2 * k - 2) * own
        sigma = state.power(place, own)
        factor = 2 * k * self.lam * (sigma**k - 1) * sigma ** (k - 1)
        outer = state.left[place][..., None] * state.right[place][:, None]
        return factor.view(-1, 1, 1) * outer
