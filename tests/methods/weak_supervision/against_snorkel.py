"""Compare our label model with the one of the public package on the same votes.

``python tests/methods/weak_supervision/against_snorkel.py FOLDER`` prints how far the probabilities
are apart, and the figures of the public package, which ``test_snorkel.py`` holds ours against.
FOLDER holds the packages ``snorkel`` (0.10.0) and ``munkres``, as ``pip install --no-deps --target
FOLDER snorkel==0.10.0 munkres`` puts them there; nothing of it is copied.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
import torch

sys.path.append(str(Path(__file__).resolve().parents[2]))

from bench.builtin.methods.weak_supervision.label_model import LabelModel
from weak_small import panel_of, voted, votes_from

CASES = {
    "two classes": {"seed": 0, "rows": 1000},
    "four classes": {"seed": 1, "rows": 1000, "classes": 4, "accuracy": (0.9, 0.7, 0.6, 0.5, 0.4)},
    "sparse": {"seed": 2, "rows": 500, "cover": 0.15, "accuracy": (0.8, 0.75, 0.7, 0.65, 0.6, 0.6)},
}
"""Name -> how the votes are drawn."""


def ours(case, start):
    """Return our probabilities (N, C) for the votes of a case, the tables scaled by ``start``."""
    classes = case.get("classes", 2)
    with tempfile.TemporaryDirectory() as folder:
        panel = panel_of(voted(votes_from(**case)[0], classes), Path(folder))
    mu = LabelModel().fitted(panel, torch.tensor([start], dtype=torch.float64))[0]
    return ((panel.marks[0].flatten(1) @ mu.log()).softmax(-1)).numpy()


def public(case, seed):
    """Return the probabilities (N, C) of the public package."""
    from snorkel.labeling.model import LabelModel as Public

    model = Public(cardinality=case.get("classes", 2), verbose=False)
    votes = votes_from(**case)[0].numpy()
    model.fit(votes, seed=seed, progress_bar=False)
    return model.predict_proba(votes)


def start_of(seed):
    """Return the number by which the public package scales its tables at the start."""
    return float(np.random.RandomState(seed).random_sample())


def figures(case, proba):
    """Return the share of right labels and the Brier score of probabilities (N, C)."""
    votes, y = votes_from(**case)
    covered, y = (votes >= 0).any(1).numpy(), y.numpy()
    own = proba[covered]
    right = float((own.argmax(1) == y[covered]).mean())
    return right, float(((own - np.eye(own.shape[1])[y[covered]]) ** 2).sum(1).mean())


def main() -> None:
    """Print the differences and the figures of the public package."""
    if len(sys.argv) != 2 or not Path(sys.argv[1], "snorkel").is_dir():
        sys.exit(
            "against_snorkel: name a folder that holds the package snorkel; "
            "'pip install --no-deps --target FOLDER snorkel==0.10.0 munkres' puts it there."
        )
    sys.path.append(sys.argv[1])
    for name, case in CASES.items():
        theirs = public(case, 7)
        apart = float(abs(theirs - ours(case, start_of(7))).max())
        right, brier = figures(case, theirs)
        sys.stdout.write(f"{name}: apart {apart:.1e}, right {right:.4f}, brier {brier:.5f}\n")


if __name__ == "__main__":
    main()
