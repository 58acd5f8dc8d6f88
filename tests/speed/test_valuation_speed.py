"""Values of many sets of rows against one fit after another, as ratios of processor time taken in
turns.
"""

from __future__ import annotations

import time

import numpy as np
import torch
from bench.builtin.methods.data_valuation.knn_shapley import sorted_values
from sklearn.linear_model import RidgeClassifier

from bench.tracks.data_valuation import Problem, Utility
from bench.tracks.data_valuation_games import game_of
from bench.tracks.data_valuation_sampling import draw_orders


def seconds(step, repeats=1):
    """Return the least processor time of some turns."""
    found = []
    for _ in range(repeats):
        start = time.process_time()
        step()
        found.append(time.process_time() - start)
    return min(found)


def test_an_order_of_rows_takes_a_fifteenth_of_a_fit_of_scikit_learn_after_another():
    generator = np.random.default_rng(0)
    y = generator.integers(0, 10, 600)
    x = (generator.standard_normal((600, 64)) + 0.5 * np.eye(10, 64)[y]).astype(np.float32)
    labels, rows = torch.from_numpy(y), torch.from_numpy(x)
    problem = Problem(
        x=rows[:300],
        y=labels[:300],
        x_val=rows[300:],
        y_val=labels[300:],
        n_classes=10,
        utility=Utility(empty=0.1),
    )
    game, orders = game_of(problem), draw_orders(300, 10, generator)
    order = orders[0].numpy()
    sizes = range(20, 300, 20)

    def one_by_one():
        for size in sizes:
            part = order[:size]
            RidgeClassifier(1.0).fit(x[part], y[part]).score(x[300:], y[300:])

    ours = seconds(lambda: game.prefixes(orders), 3) / orders.numel()
    theirs = seconds(one_by_one, 3) / len(sizes)
    assert theirs / ours >= 15, (theirs, ours)


def test_neighbour_values_of_all_queries_take_a_tenth_of_a_loop_over_queries_and_rows():
    matches = (torch.rand(100, 300, generator=torch.Generator().manual_seed(0)) < 0.1).double()

    def loop():
        found = np.zeros(matches.shape)
        for t, row in enumerate(matches.numpy()):
            n = len(row)
            found[t, -1] = row[-1] * min(10, n) / (10 * n)
            for j in range(n - 2, -1, -1):
                found[t, j] = found[t, j + 1] + (row[j] - row[j + 1]) * min(10, j + 1) / (
                    10 * (j + 1)
                )
        return found

    torch.testing.assert_close(sorted_values(matches, 10), torch.from_numpy(loop()))
    quick = seconds(lambda: sorted_values(matches, 10), 5)
    assert seconds(loop) / quick >= 10
