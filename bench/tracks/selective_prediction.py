"""Track ``selective-prediction``: say which answers of a trained net to keep.

A score is higher for rows whose answer is more likely right. Shapes: as in
``bench.tracks.fixed_model``.
"""

from __future__ import annotations

from typing import Annotated

from bench.cards import TrackCard
from bench.declared import Meta
from bench.tracks.fixed_model import FixedProblem, Model, Scored, ScoreMethod

__all__ = ["Model", "Problem", "ScoreMethod", "Scored", "Solution"]

TRACK = TrackCard(
    name="selective-prediction",
    title="Selective prediction",
    about="Say which answers of a trained net to keep and which to leave out.",
    field="shift",
    ranked="scores of rows, by the error among those that are kept, over all numbers of rows kept",
)


class Problem(FixedProblem, frozen=True, kw_only=True):
    """What a method sees: a trained net that stays as it is, its rows, and validation rows like
    those to come.

    Attributes:
        cost: of an answer that is left out, where a wrong one costs 1; above 0 and below one half.
    """

    cost: Annotated[float, Meta(gt=0, lt=0.5)] = 0.1


class Solution(Scored, kw_only=True):
    """What a method returns that knows where to stop.

    Attributes:
        threshold: answers to rows with a score of at least this are kept, any number; None: the
            one that costs least on the validation rows.
    """

    threshold: float | None = None
