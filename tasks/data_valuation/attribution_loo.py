"""Predict what models fitted without one row answer."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch

from bench import Metric, Preset, Reference, Run, Setup, TaskCard
from bench.tracks.data_valuation import Problem
from bench.tracks.data_valuation_linear import leave_one_out, margins

from ._attribution import CONTROLS, LOW, AttributionTask, whole
from ._data import Hidden
from ._metrics import COST, correlation, known, spearman


class AttributionLoo(AttributionTask):
    """The attribution of a row should be what the query loses without it."""

    card: ClassVar = TaskCard(
        name="attribution-loo",
        title="What a query loses without a row",
        track="data-valuation",
        datasets=("digits", "breast-cancer", "wine", "iris"),
        libraries=("scipy", "sklearn"),
        metrics=(
            Metric(
                name="loo_r",
                primary=True,
                bounds=(-1, 1),
                chance=0,
                title="Pearson's correlation over rows, between attributions and the margin that a "
                "fit without the row loses; mean over queries",
            ),
            Metric(
                name="loo_spearman",
                bounds=(-1, 1),
                title="Spearman's correlation, likewise",
            ),
            *COST,
        ),
        presets={
            "smoke": Preset(
                variants={"digits": {}},
                params={"n_train": 60, "n_val": 20, "n_test": 20},
                seeds=1,
                timeout=60,
            ),
            "default": Preset(
                variants={"mislabel": {}, "clean": {"rate": 0.0}}, seeds=3, timeout=300
            ),
        },
        budget="any number of fits, counted",
        offers={"queries": {}, "classes": {}},
        references=(
            LOW,
            *CONTROLS,
            Reference(name="loo-retrain", kind="high", title="The same, fitted by a method"),
        ),
    )

    def truth(self, problem: Problem, hidden: Hidden, run: Run) -> dict[str, torch.Tensor]:
        """Return what each query loses without each row (T, N)."""
        model, queries = whole(problem, hidden)
        before = margins(queries @ model.weights, hidden.y_test)
        after = margins(queries @ leave_one_out(model), hidden.y_test)
        return {"lost": (before - after).T.contiguous()}

    def judge(
        self, given: np.ndarray, truth: dict[str, np.ndarray], run: Setup
    ) -> tuple[dict[str, float | None], tuple[np.ndarray, np.ndarray]]:
        """Correlate over rows."""
        lost, found = truth["lost"], {}
        for name, kind in (("loo_r", correlation), ("loo_spearman", spearman)):
            each = kind(given.T, lost)
            found[name] = None if np.isnan(each).all() else known(float(np.nan_to_num(each).mean()))
        return found, (given[:, 0], lost[0])
