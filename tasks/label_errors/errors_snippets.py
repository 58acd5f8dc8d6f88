"""Find the wrong ones among the labels of 3,000 sentences."""

from __future__ import annotations

from typing import ClassVar

from bench import Preset, TaskCard

from ._metrics import METRICS, REFERENCES
from ._task import LabelErrorTask


class ErrorsSnippets(LabelErrorTask):
    """Find the wrong ones among the labels of 3,000 sentences: where they were published."""

    card: ClassVar = TaskCard(
        name="errors-snippets",
        title="Label errors among sentences",
        track="label-errors",
        datasets=("snippets",),
        inputs="table",
        libraries=("sklearn",),
        metrics=METRICS,
        presets={
            "smoke": Preset(
                variants={"sym20": {"noise": "sym", "rate": 0.2}},
                params={"n_train": 300, "epochs": 3},
                seeds=1,
                timeout=60,
            ),
            "default": Preset(
                variants={
                    "sym20": {"noise": "sym", "rate": 0.2},
                    "confusion40": {"noise": "confusion", "rate": 0.4},
                },
                params={"n_train": 3000, "epochs": 10},
                seeds=3,
                timeout=600,
            ),
        },
        budget="the passes of the task's protocol for each net; out-of-fold probabilities are "
        "charged to who asks for them",
        offers={"noise-rate": {}},
        references=REFERENCES,
    )
    source: ClassVar = "snippets"
    n_test: ClassVar = 2000
