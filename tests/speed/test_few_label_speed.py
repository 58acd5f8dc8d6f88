"""Learning from few labels against plain loops, as ratios of processor time taken in turns."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
import torch
from bench.builtin.methods.semi_supervised.fixmatch import FixMatch
from bench.builtin.methods.semi_supervised.shrinkmatch import shrunk
from official_loops import active_learning  # noqa: F401 - registers its loops
from official_loops.checkouts import Checkout
from official_loops.pairs import LOOPS, compare
from semi_small import pictures, semi_run


def seconds(step):
    """Return the processor time of a step."""
    start = time.process_time()
    step()
    return time.process_time() - start


def shrunk_by_loop(p, logits, cutoff):
    """Return the losses (n,) row by row and class by class, on tensors as they are."""
    found = []
    for row, own in zip(p, logits, strict=True):
        ordered, ranks = row.sort(descending=True)
        loss = own.sum() * 0
        if ordered[0] < cutoff:
            for c in range(2, len(row)):
                if ordered[0] / (ordered[0] + ordered[c:].sum()) >= cutoff:
                    kept = own[torch.cat([ranks[:1], ranks[c:]])]
                    loss = ordered[0] * (kept.logsumexp(0) - kept[0])
                    break
        found.append(loss)
    return torch.stack(found)


def test_the_shrunk_class_space_takes_a_tenth_of_a_loop_over_rows_and_classes():
    generator = torch.Generator().manual_seed(0)
    p = (2 * torch.randn(64, 10, generator=generator)).softmax(-1)
    logits = torch.randn(64, 10, generator=generator, requires_grad=True)

    def ours():
        for _ in range(20):
            shrunk(p, logits, 0.95)[0].sum().backward()

    def loop():
        shrunk_by_loop(p, logits, 0.95).sum().backward()

    torch.testing.assert_close(shrunk(p, logits, 0.95)[0], shrunk_by_loop(p, logits, 0.95))
    pairs = [(seconds(ours) / 20, seconds(loop)) for _ in range(7)]
    quick, slow = (min(side) for side in zip(*pairs, strict=True))
    assert slow / quick >= 10, slow / quick


def test_five_seeds_in_a_stack_take_two_thirds_of_one_after_the_other(tmp_path):
    problems = [
        pictures(seed, rows=200, widths=(64,), steps=30, batch_size=16, mu=3)[0]
        for seed in range(5)
    ]
    method = FixMatch(cutoff=0.5)

    def runs():
        return [semi_run(tmp_path, seed) for seed in range(5)]

    def stacked():
        method.solve_stacked(problems, runs())

    def one_by_one():
        for problem, run in zip(problems, runs(), strict=True):
            method.solve(problem, run)

    stacked()
    pairs = [(seconds(stacked), seconds(one_by_one)) for _ in range(2)]
    quick, slow = (min(side) for side in zip(*pairs, strict=True))
    assert slow / quick >= 1.5, slow / quick


@pytest.mark.slow
def test_the_largest_cluster_takes_half_of_the_time_of_the_public_class():
    folder = os.environ.get("BENCH_BMDAL")
    if not folder:
        pytest.skip("BENCH_BMDAL names no checkout of github.com/dholzmueller/bmdal_reg")
    [lcmd] = [loop for loop in LOOPS if loop.name == "lcmd"]
    row = compare(lcmd, Checkout(lcmd.key, Path(folder), pinned=False))
    assert row.difference == 0
    assert row.ratio >= 2, row.ratio
