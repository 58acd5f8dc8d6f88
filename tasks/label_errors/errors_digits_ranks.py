"""Review the labels of a test set, so that ten models come into their right order."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch

from bench import Case, Outcome, Preset, Run, Score, Setup, TaskCard
from bench.runs.guard import fingerprint
from bench.tracks.label_errors import judgement
from bench.training.data import Examples

from ._metrics import ranking
from ._ranks import METRICS, REFERENCES, reviewed, stability
from ._task import LabelErrorTask


class ErrorsDigitsRanks(LabelErrorTask):
    """897 digits with wrong labels are the test set of ten models.

    A detector orders the rows; a person looks at as many of the first ones as there are wrong
    labels, and corrects them. The models were fitted to 900 other digits, whose labels are wrong in
    the same way.
    """

    card: ClassVar = TaskCard(
        name="errors-digits-ranks",
        title="The order of ten models under label errors",
        track="label-errors",
        datasets=("digits",),
        libraries=("sklearn",),
        metrics=METRICS,
        presets={
            "smoke": Preset(
                variants={"asym40": {"noise": "asym", "rate": 0.4}},
                params={"n_train": 300, "epochs": 5},
                seeds=1,
                timeout=60,
            ),
            "default": Preset(
                variants={
                    "asym40": {"noise": "asym", "rate": 0.4},
                    "idn40": {"noise": "idn", "rate": 0.4},
                },
                params={"epochs": 16},
                seeds=5,
                timeout=300,
            ),
        },
        budget="the passes of the task's protocol for each net; out-of-fold probabilities are "
        "charged to who asks for them",
        offers={"noise-rate": {}},
        references=REFERENCES,
    )
    source: ClassVar = "digits"
    n_test: ClassVar = 900

    def evaluate(self, case: Case, outcomes: Sequence[Outcome], run: Setup) -> Score:
        """Review the most suspicious rows, and hold the order of the models against the true one
        and the given one.
        """
        problem, hidden = case.problems[0], case.hidden
        judged = judgement(outcomes[0].solution, problem)
        assert judged.suspicion is not None
        suspicion = judged.suspicion.detach().double().cpu().numpy()
        given, true = problem.y.cpu().numpy(), hidden.y_true.cpu().numpy()
        recipe = {
            "models": [self.noise, self.rate],
            "seed": run.seed,
            # not of the whole problem: methods are told different parts of it
            "given": fingerprint(problem.y),
            "hidden": fingerprint(hidden),
        }
        built, _ = run.cached(recipe, functools.partial(self._answers, case))
        said, bad = built["said"].cpu().numpy(), given != true
        rows = reviewed(suspicion, int(bad.sum()), run.numpy_generator("eval", "review"))
        return Score(
            metrics=stability(said, given, true, rows) | ranking(suspicion, bad),
            arrays={"suspicion": suspicion, "said": said},
            not_rankable=None
            if 0 < bad.sum() < len(bad)
            else f"{'no' if not bad.any() else 'every'} label is wrong, so there is nothing to "
            "tell apart",
        )

    def _answers(self, case: Case, run: Run) -> dict[str, torch.Tensor]:
        """Return what each model says of the rows that are judged, ``said`` (M, N)."""
        problem, hidden = case.problems[0], case.hidden
        rows = np.arange(len(hidden.y_test))
        fitted = Examples(hidden.x_test, hidden.y_test, problem.n_classes)
        y = self.given(fitted, rows, hidden.x_test, run.numpy_generator("corruption", "models"))
        x, judged = (part.flatten(1).double().cpu().numpy() for part in (fitted.x, problem.x))
        said = [model.fit(x, y).predict(judged) for model in models().values()]
        return {"said": torch.from_numpy(np.stack(said).astype(np.int64))}


def models() -> dict[str, Any]:
    """Return ten classifiers of scikit-learn that are not fitted yet: some follow single labels,
    some can't.
    """
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.naive_bayes import GaussianNB
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.tree import DecisionTreeClassifier

    return {
        "naive Bayes": GaussianNB(var_smoothing=0.1),
        "linear discriminant": LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.1),
        "logistic regression": LogisticRegression(max_iter=1000),
        "1 neighbour": KNeighborsClassifier(1),
        "5 neighbours": KNeighborsClassifier(5),
        "25 neighbours": KNeighborsClassifier(25),
        "100 neighbours": KNeighborsClassifier(100),
        "short tree": DecisionTreeClassifier(max_depth=5, random_state=0),
        "full tree": DecisionTreeClassifier(random_state=0),
        "forest": RandomForestClassifier(30, random_state=0),
    }
