"""How unlearned models compare with retrained ones, and the rows that both are asked about."""

from __future__ import annotations

import numpy as np
import torch

from bench import Run, Setup
from bench.tracks.unlearning import Problem

from ._attacks import FLOOR, Attacked, apart, auc, contrast, distances, per_example
from ._quality import forgetting_quality
from ._views import Views

INFORMATIVE = 0.02
"""An original whose privacy gap is below this leaves nothing to forget."""
NEAR = 0.1
"""Standard deviation of the noise that makes a neighbour of a forgotten row; inputs have 1."""


def neighbours(run: Setup, problem: Problem) -> torch.Tensor:
    """Return each forgotten row with a little noise on it, (S, ...): the same rows for all methods
    and tasks of a seed.
    """
    shape = problem.x[problem.forget].shape

    def draw(child: Run) -> dict[str, torch.Tensor]:
        noise = child.numpy_generator("corruption", "near").standard_normal(tuple(shape))
        return {"noise": torch.from_numpy(noise).float()}

    recipe = {"what": "unlearning neighbours", "seed": run.seed, "shape": list(shape)}
    noise = run.cached(recipe, draw)[0]["noise"]
    return problem.x[problem.forget] + NEAR * noise.to(problem.x.device)


def uninformative(gap: float) -> str | None:
    """Return why a cell says nothing, given the original's privacy gap; None: it does."""
    return (
        "not informative: original and retrained models can hardly be told apart (privacy gap "
        f"{gap:.2f})"
        if gap < INFORMATIVE
        else None
    )


def gap(ours: Attacked, theirs: Attacked, level: float, floor: float = FLOOR) -> float:
    """Return how much further apart two sets of models are than retrained ones, in [0, 0.5].

    Args:
        ours: what one set is told apart by.
        theirs: the same of retrained models.
        level: how far these are apart among themselves, in [0, 0.5].
        floor: what is added to each standard deviation.
    """
    return max(0.0, apart(ours, theirs, floor) - level)


def privacy(ours: Views, theirs: Views, level: float) -> dict[str, float | None]:
    """Return the attacks row by row: on the forgotten rows ``uauc`` and its companions, and by the
    other labels ``uauc_others``; on neighbours of them ``uauc_near``, on held-out rows
    ``uauc_held``, on rows that stay ``uauc_some``; ``privacy_gap``, what is beyond ``level``; and
    ``cauc``.
    """
    phi, other = ours.phi("forget"), theirs.phi("forget")
    held, other_held = ours.phi("held"), theirs.phi("held")
    found: dict[str, float | None] = {
        "privacy_gap": gap(ours.attacked(), theirs.attacked(), level),
        "level": level,
    }
    found |= per_example(phi, other)
    for part in ("near", "held", "some"):
        found[f"uauc_{part}"] = per_example(ours.phi(part), theirs.phi(part))["uauc"]
    found["uauc_others"] = (
        per_example(ours.others("forget"), theirs.others("forget"))["uauc"]
        if ours.classes > 2
        else None
    )
    found["cauc"] = float(
        np.mean(
            [
                contrast(one, one_held, other, other_held)
                for one, one_held in zip(phi, held, strict=True)
            ]
        )
    )
    return found


def compare(ours: Views, theirs: Views, svc_theirs: float, level: float) -> dict[str, float | None]:
    """Return every metric that compares unlearned with retrained models."""
    svc = ours.svc()
    gaps = [ours.fa - theirs.fa, ours.ra - theirs.ra, ours.ta - theirs.ta, svc - svc_theirs]
    quality = forgetting_quality(ours.phi("forget"), theirs.phi("forget"))
    return {
        **privacy(ours, theirs, level),
        **distances(ours.probabilities("forget"), theirs.probabilities("forget")),
        "mia_svc": svc,
        "mia_gap": svc - svc_theirs,
        "avg_gap": float(np.mean(np.abs(gaps))),
        "fa": ours.fa,
        "fa_gap": ours.fa - theirs.fa,
        "ra": ours.ra,
        "ta": ours.ta,
        "auc_population": float(
            np.mean(
                [
                    auc(one, held)
                    for one, held in zip(ours.phi("forget"), ours.phi("held"), strict=True)
                ]
            )
        ),
        "forgetting_quality": None
        if quality is None
        else quality * ours.ra / theirs.ra * ours.ta / theirs.ta,
    }
