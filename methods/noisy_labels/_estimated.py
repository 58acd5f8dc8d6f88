"""Noise rates that are estimated from the given labels, for methods that want one and are not told
the true one.
"""

from __future__ import annotations

import functools

import msgspec
import torch

from bench import Run
from bench.tracks.noisy_labels import Problem
from bench.training.noise_rate import estimated_noise_rate

TREES, LEAF = 100, 3
"""Trees, and the least rows of a leaf, so that no leaf repeats one wrong label."""


def with_estimated_rate(problem: Problem, run: Run) -> Problem:
    """Return the problem with the share of wrong labels that the confident joint of given labels
    and out-of-bag probabilities finds; the record keeps it as ``noise_rate``.
    """
    built, _ = run.cached(
        {"out-of-bag": "extra-trees", "trees": TREES, "leaf": LEAF},
        functools.partial(out_of_bag, problem),
    )
    rate = estimated_noise_rate(problem.y, built["probabilities"])
    run.log(0, noise_rate=rate)
    return msgspec.structs.replace(problem, noise_rate=rate)


def out_of_bag(problem: Problem, run: Run) -> dict[str, torch.Tensor]:
    """Return as ``probabilities`` the class probabilities (N, C), float64, of each row from the
    extremely randomised trees whose bootstrap samples lack the row.

    Trees find the features that tell classes apart, also where wrong labels leave few right ones a
    class; neighbours in all features err on more rows, which then look mislabelled.
    """
    from sklearn.ensemble import ExtraTreesClassifier

    seed = int(run.numpy_generator("split", "out-of-bag").integers(2**31))
    forest = ExtraTreesClassifier(
        TREES, min_samples_leaf=LEAF, bootstrap=True, oob_score=True, random_state=seed
    ).fit(problem.x.flatten(1).cpu().numpy(), problem.y.cpu().numpy())
    found = torch.zeros(len(problem.y), problem.n_classes, dtype=torch.float64)
    found[:, torch.from_numpy(forest.classes_)] = torch.from_numpy(forest.oob_decision_function_)
    return {"probabilities": found.to(problem.x.device)}
