"""Predict what models fitted on random parts of the rows answer (arXiv:2303.14186)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
import torch

from bench import Case, InvalidRun, Meta, Metric, Preset, Reference, Run, Setup, TaskCard
from bench.tracks.data_valuation import Problem
from bench.tracks.data_valuation_linear import fit, margins

from ._attribution import CONTROLS, LOW, AttributionTask, whole
from ._data import Hidden
from ._metrics import COST, ranks, spearman

DRAWS = 100


class AttributionLds(AttributionTask):
    """The attributions of the rows of a part, added up, should order the parts as fits do."""

    card: ClassVar = TaskCard(
        name="attribution-lds",
        title="Linear datamodelling score",
        track="data-valuation",
        datasets=("digits", "breast-cancer", "wine", "iris"),
        libraries=("scipy", "sklearn"),
        metrics=(
            Metric(
                name="lds",
                primary=True,
                bounds=(-1, 1),
                chance=0,
                title="Spearman's correlation over parts of the rows, between added attributions "
                "and the margin after a fit on the part; mean over queries",
            ),
            Metric(
                name="lds_low",
                direction="none",
                bounds=(-1, 1),
                title="lds minus 1.96 standard errors, over queries and parts drawn again",
            ),
            Metric(
                name="lds_high",
                direction="none",
                bounds=(-1, 1),
                title="lds plus 1.96 standard errors",
            ),
            *COST,
        ),
        presets={
            "smoke": Preset(
                variants={"half": {}},
                params={"n_train": 60, "n_val": 20, "n_test": 20, "parts": 20},
                seeds=1,
                timeout=60,
            ),
            "default": Preset(
                variants={"half": {}, "clean": {"rate": 0.0}, "quarter": {"share": 0.25}},
                seeds=3,
                timeout=300,
            ),
        },
        budget="any number of fits, counted",
        offers={"queries": {}, "classes": {}},
        references=(
            LOW,
            *CONTROLS,
            Reference(
                name="loo-retrain", kind="high", title="The margin lost without each row, fitted"
            ),
        ),
        paper="arXiv:2303.14186",
    )
    parts: Annotated[int, Meta(ge=5)] = 100
    """Random parts of the rows, each fitted anew."""
    share: Annotated[float, Meta(gt=0, lt=1)] = 0.5
    """Share of the rows that is in a part."""

    def prepare(self, run: Setup) -> Case:
        """Hand the rows out.

        Raises:
            InvalidRun: a part would hold no row, or all of them.
        """
        if not 0 < self._rows < self.n_train:
            raise InvalidRun(
                f"share is {self.share:g}, which is {self._rows} of {self.n_train} rows; a part "
                "must hold at least one row and not all, so use another share or more rows"
            )
        return super().prepare(run)

    @property
    def _rows(self) -> int:
        return round(self.share * self.n_train)

    def truth(self, problem: Problem, hidden: Hidden, run: Run) -> dict[str, torch.Tensor]:
        """Return who is in each part (M, N), and the margins of queries after its fit (M, T)."""
        n = len(problem.y)
        generator = run.numpy_generator("eval", "parts")
        masks = np.zeros((self.parts, n), dtype=bool)
        for mask in masks:
            mask[generator.permutation(n)[: self._rows]] = True
        model, queries = whole(problem, hidden)
        inside = torch.from_numpy(masks).to(problem.y.device)
        weights = fit(model.x, model.y, inside, problem.penalty)
        return {"inside": inside, "margins": margins(queries @ weights, hidden.y_test)}

    def judge(
        self, given: np.ndarray, truth: dict[str, np.ndarray], run: Setup
    ) -> tuple[dict[str, float | None], tuple[np.ndarray, np.ndarray]]:
        """Correlate, and draw queries and parts again for the interval."""
        added = given.T @ truth["inside"].T.astype(np.float64)
        fitted = truth["margins"].T
        each = spearman(added, fitted)
        if np.isnan(each).all():
            return dict.fromkeys(("lds", "lds_low", "lds_high")), (added[0], fitted[0])
        generator = run.numpy_generator("eval", "bootstrap")
        drawn = []
        for _ in range(DRAWS):
            at = generator.integers(0, len(added), len(added))
            parts = generator.integers(0, added.shape[1], added.shape[1])
            again = spearman(added[at][:, parts], fitted[at][:, parts])
            drawn.append(np.nan_to_num(again).mean())
        # a query whose attributions are all alike predicts nothing
        mean, wide = float(np.nan_to_num(each).mean()), 1.96 * float(np.std(drawn, ddof=1))
        # not the percentiles: parts that are drawn twice are ties, which lower every correlation
        low, high = max(-1.0, mean - wide), min(1.0, mean + wide)
        found = {"lds": mean, "lds_low": low, "lds_high": high}
        return found, (ranks(added[0]), ranks(fitted[0]))
