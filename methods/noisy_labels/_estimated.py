"""Noise rates that are estimated from the given labels, for methods that want one and are not told
the true one.
"""

from __future__ import annotations

import msgspec

from bench import Run
from bench.tracks.label_errors import out_of_fold
from bench.tracks.noisy_labels import Problem
from bench.training.noise_rate import estimated_noise_rate


def with_estimated_rate(problem: Problem, run: Run) -> Problem:
    """Return the problem with the share of wrong labels that the confident joint of given labels
    and out-of-fold votes of 20 neighbours finds; the record keeps it as ``noise_rate``.
    """
    rate = estimated_noise_rate(problem.y, out_of_fold(problem, run))
    run.log(0, noise_rate=rate)
    return msgspec.structs.replace(problem, noise_rate=rate)
