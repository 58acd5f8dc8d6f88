"""Pictures of one run: how confident models are of forgotten and of
held-out rows, and where models stand in privacy and utility.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.training.pictures import histograms, scatter

from ._attacks import contrast
from ._views import Views


def pictures(ours: Views, theirs: Views, originals: Views) -> dict[str, Any]:
    """Return the histograms ``phi`` and the plane ``plane``, which has a point a model."""
    log_odds = {
        "forgotten": ours.phi("forget"),
        "held out": ours.phi("held"),
        "forgotten, retrained": theirs.phi("forget"),
        "forgotten, original": originals.phi("forget"),
    }
    low, high = np.percentile(
        np.concatenate([values.ravel() for values in log_odds.values()]), [0.5, 99.5]
    )
    clipped = {name: values.clip(low, high) for name, values in log_odds.items()}
    points = {
        name: _places(views, theirs)
        for name, views in (("original", originals), ("retrained", theirs), ("unlearned", ours))
    }
    return {
        "phi": histograms(clipped, title="Log odds of the label", x="phi"),
        "plane": scatter(
            points,
            title="Privacy and utility, a point a model",
            x="test accuracy (%)",
            y="cAUC (0.5: as if retrained)",
        ),
    }


def _places(views: Views, theirs: Views) -> tuple[list[float], list[float]]:
    """Return test accuracy and cAUC of each model; a retrained one is
    measured against the others.
    """
    rows = views.parts["test"]
    accuracy = (
        100 * (views.outputs[:, rows].argmax(-1) == views.y[rows]).double().mean(-1)
    ).tolist()
    phi, held, others, others_held = (
        views.phi("forget"),
        views.phi("held"),
        theirs.phi("forget"),
        theirs.phi("held"),
    )
    privacy = []
    for k in range(len(phi)):
        kept = np.arange(len(others)) != k if views is theirs else np.ones(len(others), dtype=bool)
        privacy.append(contrast(phi[k], held[k], others[kept], others_held[kept]))
    return accuracy, privacy
