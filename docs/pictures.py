"""Make the example picture of a page of a track anew: docs/_static/pictures/PAGE.png.

``python docs/pictures.py PAGE...`` runs what PICTURES names and writes the files. A picture is what
a run saves beside its record (``bench show RECORD --image``), in fewer colours. The runs are not
part of ``make docs``: a picture shows an example, and no figure is read from it.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import bench

FOLDER = Path(__file__).resolve().parent / "_static" / "pictures"
COLOURS = 32


def saved(task: str, method: str, variant: str, *names: str, preset: str = "default") -> np.ndarray:
    """Return pictures that a run of seed 0 saves, one above the other (height, width, 3), uint8."""
    from bench.runs.store import Store

    with tempfile.TemporaryDirectory() as folder:
        bench.run(
            task=task,
            method=method,
            variant=variant,
            preset=preset,
            seeds=[0],
            device="cpu",
            quiet=True,
            results=folder,
        )
        [record] = Store(Path(folder)).read()
        found = []
        for name in names:
            file = Path(folder, "files", record.id, Path(record.images[name]).name)
            with Image.open(file) as opened:
                image = opened.convert("RGB")
            if len(names) > 1:
                # each with colours of its own, so that many greys of one take none of the others'
                image = image.quantize(COLOURS // len(names), dither=Image.Dither.NONE)
            found.append(np.asarray(image.convert("RGB")))
    width = max(image.shape[1] for image in found)
    sides = [((0, 0), (0, width - image.shape[1]), (0, 0)) for image in found]
    return np.concatenate(
        [np.pad(*pair, constant_values=255) for pair in zip(found, sides, strict=True)]
    )


def first_kept() -> np.ndarray:
    """Return the rows that EL2N keeps first among MNIST digits of which a tenth is wrongly
    labelled; runs of this track save no picture.
    """
    import torch
    from bench.builtin.datasets.mnist5k import Mnist5k
    from bench.builtin.methods.selection.el2n import ErrorNorm
    from bench.builtin.tasks.selection.prune_mnist import PruneMnist

    from bench.runs.context import Run, Setup
    from bench.runs.tools import Tools
    from bench.training.tiles import grid

    class Serving(Tools):
        def dataset(self, run: Any, name: str, params: dict[str, Any]) -> Any:
            return Mnist5k().load(run)

    with tempfile.TemporaryDirectory() as folder:
        of: dict[str, Any] = {
            "seed": 0,
            "task": "selection/prune-mnist",
            "method": "selection/el2n",
            "device": torch.device("cpu"),
            "workdir": Path(folder),
            "tools": Serving(),
        }
        case = PruneMnist(label_noise=0.1).prepare(Setup(**of))
        problem, true = case.problems[0], case.hidden.y_true
        first = ErrorNorm().scores(problem, Run(**of)).argsort(descending=True, stable=True)[:24]
    captions = [f"{problem.y[row]} (is {true[row]})" for row in first]
    return grid(problem.x[first], captions, columns=8, title="Kept first: given label (true label)")


PICTURES: dict[str, Callable[[], np.ndarray]] = {
    "accuracy-estimation": lambda: saved("estimate-digits", "atc", "mlp", "estimates"),
    "active-learning": lambda: saved("al-outliers", "margin", "outliers40", "curve", "asked"),
    "adversarial": lambda: saved("robust-digits", "pgd-at", "eps15", "changes"),
    "algorithmic": lambda: saved("modular", "weight-decay", "frac70", "spectrum"),
    "condensation": lambda: saved("condense-digits", "dm", "ipc1", "images", preset="smoke"),
    "continual": lambda: saved("split-digits", "er", "online", "matrix"),
    "data-valuation": lambda: saved("value-mislabel", "knn-shapley", "digits", "rows"),
    "graph-ood": lambda: saved("spmotif", "erm", "b97", "graphs", preset="smoke"),
    "group-shift": lambda: saved("spurious-mnist", "erm", "rho95", "groups", preset="smoke"),
    "imputation": lambda: saved("impute-breast-cancer", "iterative", "mcar", "holes"),
    "input-attribution": lambda: saved("block-mnist", "input-gradient", "robust", "scores"),
    "label-errors": lambda: saved("errors-mnist", "aum", "asym40", "suspicious"),
    "long-tail": lambda: saved("tail-digits", "plain", "r30", "classes", preset="smoke"),
    "missing-data": lambda: saved("missing-clusters", "mask-indicator", "mnar", "confidence"),
    "noisy-labels": lambda: saved("noisy-digits", "ce", "sym40", "epochs"),
    "noisy-regression": lambda: saved("sensor-friedman", "mse", "half", "predictions"),
    "node-graphs": lambda: saved("minesweeper", "gcn-plain", "grid", "graph"),
    "ood-detection": lambda: saved("ood-digits", "msp", "mlp", "scores"),
    "open-ended": lambda: saved("mixed-functions", "osl", "k3", "predictors"),
    "poisoning": lambda: saved("unlearnable-mnist", "ce", "emin", "changes"),
    "policy-optimization": lambda: saved(
        "clock-arithmetic", "d3s", "gflop5", "step-1", preset="smoke"
    ),
    "recipes": lambda: saved("few-digits", "plain", "n100", "severities", preset="smoke"),
    "regression": lambda: saved("waves", "knn-mixup", "noise01", "predictions"),
    "positive-unlabeled": lambda: saved("pu-digits", "nnpu", "long60", "curves"),
    "selection": first_kept,
    "selective-prediction": lambda: saved("reject-digits", "msp", "mlp", "risk"),
    "semi-supervised": lambda: saved("semi-digits", "fixmatch", "lab4", "sure", preset="smoke"),
    "synthetic-data": lambda: saved("collapse-regression", "ols", "iso", "generations"),
    "target-shift": lambda: saved("target-shift-regression", "retasa", "strong", "weights"),
    "unlearning": lambda: saved("unlearn-class", "ft", "three", "phi", preset="smoke"),
    "weak-supervision": lambda: saved(
        "weak-cancer", "majority", "thresholds", "sources", preset="smoke"
    ),
}
"""Page of docs/tracks -> what makes its picture."""


def write(page: str) -> None:
    """Write the picture of a page, in few colours, which keeps it small."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(PICTURES[page]())
    image.quantize(COLOURS, dither=Image.Dither.NONE).save(FOLDER / f"{page}.png", optimize=True)


def main() -> None:
    """Write the pictures of the pages that are named."""
    pages = sys.argv[1:]
    wrong = [page for page in pages if page not in PICTURES]
    if wrong or not pages:
        sys.exit(
            f"pictures: got {', '.join(wrong) or 'no page'}; name pages of docs/tracks, of "
            f"{', '.join(PICTURES)}."
        )
    for page in pages:
        write(page)


if __name__ == "__main__":
    main()
