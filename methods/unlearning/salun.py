"""SalUn (arXiv:2310.12508): random labels, on the weights that matter to the rows to forget."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.unlearning import Group, Nets, cross_entropy, descend, restrict

from .random_label import RandomLabel


class SalUn(RandomLabel):
    """Random labels, training only the share of weights with the largest gradient on S."""

    card: ClassVar = MethodCard(
        name="salun",
        title="Saliency unlearning (SalUn)",
        track=("unlearning-privacy", "unlearning-correction"),
        paper="arXiv:2310.12508",
        bibtex="""@inproceedings{fan2024salun,
  title = {SalUn: Empowering Machine Unlearning via Gradient-based Weight Saliency in Both Image
    Classification and Generation},
  author = {Fan, Chongyu and Liu, Jiancheng and Zhang, Yihua and Wong, Eric and Wei, Dennis and Liu,
    Sijia},
  booktitle = {ICLR},
  year = {2024},
  eprint = {2310.12508},
  archivePrefix = {arXiv}
}""",
        official_code="ok",
        deviates=(
            "Defaults are this project's small-data values, with a falling rate; the official "
            "ones are in 'settings'. No effect at this scale: on random rows its models "
            "are further from retrained ones than the originals are."
        ),
        stacked=True,
        defaults_from="here",
        trials=None,
        tuning={"lr": (0.001, 0.005, 0.02, 0.05), "rate": (0.3, 0.5)},
    )
    settings: ClassVar = {
        "cifar10": {"rate": 0.5, "lr": 0.013, "epochs": 10, "falling": False},
        "cifar100": {"rate": 0.5, "lr": 0.013, "epochs": 10, "order": "mixed", "falling": False},
    }
    rate: Annotated[float, Meta(gt=0, le=1)] = 0.5
    """Share of the weights that is trained; 1 is ``random-label``."""

    def restraint(self, group: Group, nets: Nets, optimiser: torch.optim.SGD) -> Callable[[], None]:
        """Mask the gradients, and after every step put back what weight decay moved of the others;
        without any, weights of no gradient stay.
        """
        masks = self.masks(group, nets)
        restrict(nets, masks)
        if not group.problem.weight_decay:
            return super().restraint(group, nets, optimiser)
        before = [parameter.detach().clone() for parameter in nets.parameters()]

        def restore() -> None:
            with torch.no_grad():
                for parameter, mask, value in zip(nets.parameters(), masks, before, strict=True):
                    parameter.copy_(torch.where(mask > 0, parameter, value))
                    momentum = optimiser.state[parameter].get("momentum_buffer")
                    if momentum is not None:
                        momentum *= mask

        return restore

    def masks(self, group: Group, nets: Nets) -> list[torch.Tensor]:
        """Return for each parameter 1 where the gradient of -CE, summed
        over the batches of S, is among a member's largest, else 0.
        """
        nets.eval().zero_grad()
        for batch in group.in_parts(group.forget, group.problem.batch_size):
            descend(-cross_entropy(nets(batch.x), batch.y))
        group.count(forward=group.forget.shape[1], backward=group.forget.shape[1])
        sizes = torch.cat(
            [
                parameter.grad.abs().flatten(1)
                for parameter in nets.parameters()
                if parameter.grad is not None
            ],
            1,
        )
        kept = torch.zeros_like(sizes).scatter_(
            1, sizes.topk(round(self.rate * sizes.shape[1]), dim=1).indices, 1.0
        )
        nets.train().zero_grad()
        parts = kept.split([parameter[0].numel() for parameter in nets.parameters()], 1)
        return [
            part.reshape(parameter.shape)
            for part, parameter in zip(parts, nets.parameters(), strict=True)
        ]
