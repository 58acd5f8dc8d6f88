"""Noisy labels on a CSV file of one's own."""

from __future__ import annotations

from typing import ClassVar

import torch

from bench import Metric, Preset, Setup, TaskCard
from bench.training.data import Examples, stratified_split

from ._metrics import REFERENCES, REST
from ._table import BUDGET, CONFUSIONS, VARIANTS, TableTask

SHARE = 0.2
"""Of the rows: what methods are judged by."""


class NoisyCsv(TableTask):
    """The rows of a CSV file with corrupted labels, a fifth of them clean to judge by.

    The labels of the file are taken to be right.
    """

    card: ClassVar = TaskCard(
        name="noisy-csv",
        title="A CSV file of your own, with corrupted training labels",
        track="noisy-labels",
        datasets=("csv",),
        inputs="table",
        metrics=(
            Metric(
                name="acc_last",
                primary=True,
                unit="%",
                bounds=(0, 100),
                title="clean test accuracy after the last epoch, of the first net",
            ),
            *REST,
        ),
        presets={
            "smoke": Preset(
                variants={"sym40": {"noise": "sym", "rate": 0.4}},
                params={"n_train": 300, "epochs": 5},
                seeds=1,
                timeout=60,
            ),
            "default": Preset(variants=VARIANTS, params={"n_train": 4000}, seeds=5, timeout=300),
            "extended": Preset(variants=CONFUSIONS, params={"n_train": 4000}, seeds=5, timeout=300),
        },
        budget=BUDGET,
        offers={"noise-rate": {}},
        tuning={"holdout": 0.2},
        references=REFERENCES,
    )
    source: ClassVar = "csv"
    file: str = ""
    """The CSV file, relative to the folder that the command starts in: UTF-8, with a header."""
    label: str = ""
    """Its column of classes; none: the last one."""

    def parts(self, run: Setup) -> tuple[Examples, Examples]:
        """Return rows to train on and a fifth to judge by, in proportion by class."""
        data = run.dataset(self.source, file=self.file, label=self.label)
        rows = stratified_split(
            data.y.cpu().numpy(),
            round(SHARE * len(data.y)),
            run.numpy_generator("split", "test"),
        )
        train, test = (
            Examples(data.x[part], data.y[part], data.classes)
            for part in map(torch.from_numpy, rows)
        )
        return train, test
