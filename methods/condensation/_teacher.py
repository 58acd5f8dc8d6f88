"""Soft labels of nets that learned from all training images, for the methods that store them."""

from __future__ import annotations

import functools

import torch

from bench import Run
from bench.tracks.condensation import Problem
from bench.tracks.condensation_calls import seen
from bench.tracks.selection import trained

from ._part import digest

LABELS = """@inproceedings{qin2024label,
  title = {A Label is Worth a Thousand Images in Dataset Distillation},
  author = {Qin, Tian and Deng, Zhiwei and {Alvarez-Melis}, David},
  booktitle = {NeurIPS},
  year = {2024},
  eprint = {2406.10485},
  archivePrefix = {arXiv}
}"""


def soft_labels(
    problem: Problem, run: Run, images: torch.Tensor, *, nets: int, epochs: int, temperature: float
) -> torch.Tensor:
    """Return the class probabilities (n, C) of images (n, channels, height, width): the mean over
    teachers of softmax(logits / temperature).

    Args:
        problem: gives the images and labels that the teachers learn from.
        run: gives the streams; teachers are shared by all runs on these data.
        images: what is labelled.
        nets: teachers.
        epochs: passes of their training.
        temperature: divides their logits, above 0.
    """
    recipe = {
        "soft-label teachers": nets,
        "epochs": epochs,
        "net": [problem.width, problem.depth],
        "part": digest(problem),
    }
    tensors, _ = run.cached(recipe, functools.partial(_build, problem, nets, epochs))
    params = [tensors[f"weights-{place}"] for place in range(len(tensors))]
    run.count(forward=nets * len(images))
    logits = seen(problem.net(), params, images)
    return (logits / temperature).softmax(-1).mean(0)


def _build(problem: Problem, nets: int, epochs: int, run: Run) -> dict[str, torch.Tensor]:
    """Train the teachers, from different weights and in different orders."""
    _, params = trained(problem, run, "teachers", nets=nets, epochs=epochs)
    return {f"weights-{place}": tensor for place, tensor in enumerate(params)}
