"""Track ``unlearning``: make a trained model forget rows, as if it had never seen them; it is judged against retrained ones.

A case holds one problem or K, which differ in their original model alone. Methods serve them, and several seeds, at once.
Shapes: M members (models), B rows of a batch, N training rows, S rows to forget, R = N - S rows that stay, C outputs. Losses
are averaged over a member's batch and *summed* over members, so gradients do not mix.
"""

from __future__ import annotations

from bench.tracks.unlearning.group import Batch, Group, Rows
from bench.tracks.unlearning.losses import confidence, cross_entropy, divergence
from bench.tracks.unlearning.method import UnlearningMethod, clip, solutions, step, train
from bench.tracks.unlearning.nets import Architecture, Nets, Perceptrons, Weights, restrict
from bench.tracks.unlearning.problem import Model, Problem, Solution

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
    "clip",
    "confidence",
    "cross_entropy",
    "divergence",
    "restrict",
    "solutions",
    "step",
    "train",
]
