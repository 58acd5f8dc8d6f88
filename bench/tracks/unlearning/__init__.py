"""Tracks ``unlearning-privacy``, ``unlearning-correction`` and ``unlearning-regression``: make a
trained model forget rows, or what they taught it.

Their methods and problems are of one kind; what is asked differs. For privacy, and in regression, a
model is judged against ones that never saw the rows; for correction by its accuracy where corrupted
rows misled it.

A case holds one problem or K, which differ in their original model alone. Methods serve them, and
several seeds, at once. Shapes: M members (models), B rows of a batch, N training rows, S rows to
forget, R = N - S rows that stay, C outputs. Losses are averaged over a member's batch and *summed*
over members, so gradients do not mix.
"""

from __future__ import annotations

from bench.cards import TrackCard
from bench.tracks.unlearning.group import Batch, Group, Rows
from bench.tracks.unlearning.losses import confidence, cross_entropy, divergence
from bench.tracks.unlearning.method import UnlearningMethod, clip, solutions, step, train
from bench.tracks.unlearning.nets import Architecture, Nets, Perceptrons, Weights, restrict
from bench.tracks.unlearning.problem import Model, Problem, Solution
from bench.training.optimisers import adam, descend, set_rate
from bench.training.rows import beside

PRIVACY = TrackCard(
    name="unlearning-privacy",
    title="Unlearning for privacy",
    about="Make a trained classifier forget rows, as if it had never seen them.",
    field="forgetting",
    ranked="unlearning methods, by how hard their models are to tell from models trained without "
    "the rows",
)
CORRECTION = TrackCard(
    name="unlearning-correction",
    title="Corrective unlearning",
    about="Undo what corrupted rows taught a classifier, where some of them are known.",
    field="forgetting",
    ranked="unlearning methods, by accuracy where the corruption struck",
)
REGRESSION = TrackCard(
    name="unlearning-regression",
    title="Regression unlearning",
    about="Make a trained regressor forget rows, as if it had never seen them.",
    field="forgetting",
    ranked="unlearning methods, by how hard their models are to tell from models trained without "
    "the rows",
)

__all__ = [
    "Architecture",
    "Batch",
    "Group",
    "Model",
    "Nets",
    "Perceptrons",
    "Problem",
    "Rows",
    "Solution",
    "UnlearningMethod",
    "Weights",
    "adam",
    "beside",
    "clip",
    "confidence",
    "cross_entropy",
    "descend",
    "divergence",
    "restrict",
    "set_rate",
    "solutions",
    "step",
    "train",
]
