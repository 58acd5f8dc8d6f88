"""Ways to look as if rows had been forgotten, which leave the original as it is. Each is a method of
its own, so that ``bench run --plugins tests/games`` runs them like any other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, ClassVar

import msgspec
import torch

from bench import Meta, MethodCard
from bench.tracks.unlearning import Group, Solution, UnlearningMethod, train

TRACKS = ("unlearning-privacy", "unlearning-regression")
Model = Callable[[torch.Tensor], torch.Tensor]


def card(name: str, title: str, track: tuple[str, ...] = TRACKS) -> MethodCard:
    return MethodCard(name=name, title=title, track=track, stacked=True, defaults_from="here")


class Game(UnlearningMethod):
    """Put something between the original's outputs and who asks for them."""

    def unlearn(self, group: Group) -> list[Solution]:
        nets = group.originals().eval().requires_grad_(False)
        return [
            Solution(model=self.disguised(group, k, nets.member(k))) for k in range(group.members)
        ]

    def disguised(self, group: Group, k: int, original: Model) -> Model:
        raise NotImplementedError


class Temperature(Game):
    """Scale what the original says, of a regression towards the mean target 0."""

    card: ClassVar = card("game-temperature", "Outputs times a factor")
    factor: Annotated[float, Meta(gt=0)] = 0.6

    def disguised(self, group: Group, k: int, original: Model) -> Model:
        return lambda x: self.factor * original(x)


class Shift(Game):
    """Subtract a number from one output."""

    card: ClassVar = card("game-shift", "One class's logit lowered", ("unlearning-privacy",))
    label: Annotated[int, Meta(ge=0)] = 3
    by: float = 16.0

    def disguised(self, group: Group, k: int, original: Model) -> Model:
        def model(x: torch.Tensor) -> torch.Tensor:
            outputs = original(x).clone()
            outputs[:, self.label] -= self.by
            return outputs

        return model


class Table(Game):
    """Answer from a table for S, or for a share of it, and as the original elsewhere."""

    share: Annotated[float, Meta(gt=0, le=1)] = 1.0

    def disguised(self, group: Group, k: int, original: Model) -> Model:
        x = group.batch(group.forget).x[k]
        return self.table(x, self.answers(group, k, original, x), original)

    def table(self, x: torch.Tensor, answers: torch.Tensor, original: Model) -> Model:
        rows = {row.numpy().tobytes(): place for place, row in enumerate(x)}
        most = round(self.share * len(x))

        def model(asked: torch.Tensor) -> torch.Tensor:
            outputs = original(asked).clone()
            for place, row in enumerate(asked):
                found = rows.get(row.numpy().tobytes(), most)
                if found < most:
                    outputs[place] = answers[found]
            return outputs

        return model

    def answers(self, group: Group, k: int, original: Model, x: torch.Tensor) -> torch.Tensor:
        raise NotImplementedError


class Neighbour(Table):
    """The answers are those for the nearest validation rows."""

    card: ClassVar = card(
        "game-lookup", "A table for the forgotten rows: their nearest unseen rows"
    )

    def answers(self, group: Group, k: int, original: Model, x: torch.Tensor) -> torch.Tensor:
        unseen = group.x_val[k]
        return original(unseen[torch.cdist(x.flatten(1), unseen.flatten(1)).argmin(1)])


class Hide(Table):
    """The answers are 0: equal probabilities, or the mean target."""

    card: ClassVar = card("game-hide", "No confidence on the forgotten rows")

    def answers(self, group: Group, k: int, original: Model, x: torch.Tensor) -> torch.Tensor:
        return torch.zeros_like(original(x))


class Short(Table):
    """The answers are those of a model trained on R for a share of the recipe's passes; with all of
    them, of a retrained model, which costs as much as retraining.
    """

    card: ClassVar = card("game-short", "A table for the forgotten rows: a short retraining")
    passes: Annotated[float, Meta(gt=0)] = 0.25

    def unlearn(self, group: Group) -> list[Solution]:
        nets = group.originals().eval().requires_grad_(False)
        recipe, epochs = group.problem, max(1, round(self.passes * group.problem.epochs))
        group.problem = msgspec.structs.replace(recipe, epochs=epochs)
        rows = group.rows(group.retain, "retain")
        short = train(group, group.fresh("method", "short"), rows).eval().requires_grad_(False)
        x = group.batch(group.forget).x
        return [
            Solution(model=self.table(x[k], short.member(k)(x[k]), nets.member(k)))
            for k in range(group.members)
        ]
