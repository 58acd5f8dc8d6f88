"""How accurate a net is on corrupted 8x8 digits."""

from __future__ import annotations

from typing import Annotated, ClassVar

from bench import Meta, Preset, TaskCard

from ._task import METRICS, REFERENCES, EstimationTask


class EstimateDigits(EstimationTask):
    """A small perceptron, and 31 sets of 8x8 digits."""

    card: ClassVar = TaskCard(
        name="estimate-digits",
        title="A net's accuracy on corrupted 8x8 digits",
        track="accuracy-estimation",
        datasets=("digits",),
        libraries=("sklearn", "scipy"),
        metrics=METRICS,
        presets={
            "smoke": Preset(
                variants={"mlp": {}},
                params={
                    "n_train": 300,
                    "n_val": 150,
                    "n_test": 150,
                    "epochs": 10,
                    "widths": [32],
                    "severities": [2, 4],
                },
                seeds=1,
                timeout=60,
            ),
            "default": Preset(variants={"mlp": {}}, seeds=5, timeout=300),
        },
        budget="any number of passes over the sets, counted",
        offers={"second-model": {}},
        references=REFERENCES,
    )
    source: ClassVar = "digits"
    brightest: ClassVar = 16.0

    n_train: Annotated[int, Meta(ge=10)] = 900
    """Rows that the net is trained on."""
    n_val: Annotated[int, Meta(ge=10)] = 400
    """Labelled rows that it is not."""
    n_test: Annotated[int, Meta(ge=10)] = 497
    """Rows that each set is made of."""
