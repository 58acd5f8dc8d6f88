"""The track's figures against counting by hand, and against formulas that must hold."""

import itertools

import numpy as np
import pytest
from bench.builtin.tasks.label_errors._metrics import classification, flagging, hits, ranking
from hypothesis import given
from hypothesis import strategies as st

judged = st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=2, max_size=40).filter(
    lambda rows: len({bad for _, bad in rows}) == 2
)


@given(judged)
def test_auroc_is_the_share_of_pairs_in_the_right_order_with_ties_as_half(rows):
    wrong, right = ([value for value, bad in rows if bad is kind] for kind in (True, False))
    pairs = [(a > b) + 0.5 * (a == b) for a in wrong for b in right]
    suspicion, bad = (np.array(part) for part in zip(*rows, strict=True))
    assert ranking(suspicion, bad)["auroc"] == pytest.approx(100 * sum(pairs) / len(pairs))


@given(judged)
def test_average_precision_is_the_sum_over_thresholds_of_precision_times_gained_recall(rows):
    total, recall, expected = sum(bad for _, bad in rows), 0.0, 0.0
    for limit in sorted({value for value, _ in rows}, reverse=True):
        taken = [bad for value, bad in rows if value >= limit]
        expected += sum(taken) / len(taken) * (sum(taken) / total - recall)
        recall = sum(taken) / total
    suspicion, bad = (np.array(part) for part in zip(*rows, strict=True))
    assert ranking(suspicion, bad)["ap"] == pytest.approx(100 * expected)


def test_the_hits_among_the_first_k_are_the_mean_over_every_order_of_ties():
    ranks, bad = np.array([3, 1, 1, 1, 0]), np.array([False, True, False, True, True])
    for k in range(1, 6):
        found = []
        for order in itertools.permutations(range(5)):
            taken = sorted(order, key=lambda row: -ranks[row])[:k]  # sorted keeps the order of ties
            found.append(bad[taken].sum())
        assert hits(ranks, bad, k) == pytest.approx(np.mean(found))


def test_ranks_take_infinite_suspicion_and_only_its_order_counts():
    bad = np.array([True, False, True, False])
    assert ranking(np.array([np.inf, 0.0, 5.0, -np.inf]), bad) == ranking(
        np.array([9.0, 2.0, 8.0, 1.0]), bad
    )
    assert ranking(np.array([np.inf, 0.0, 5.0, -np.inf]), bad) == {
        "ap": 100.0,
        "auroc": 100.0,
        "precision_at_k": 100.0,
        "lift_1": 2.0,
    }


@pytest.mark.parametrize("rate", [0.1, 0.25, 0.4, 0.9])
def test_flagging_nothing_has_the_weighted_f1_that_makes_it_misleading(rate):
    bad = np.arange(1000) < 1000 * rate
    found = flagging(np.zeros(1000, dtype=bool), bad)
    assert found["f1_weighted"] == pytest.approx(100 * 2 * (1 - rate) ** 2 / (2 - rate))
    assert (found["precision"], found["recall"], found["f1"], found["rate_error"]) == (
        None,
        0,
        0,
        pytest.approx(100 * rate),
    )


def test_flags_are_scored_as_counted_by_hand():
    bad = np.array([1, 1, 1, 0, 0, 0, 0, 0, 0, 0], dtype=bool)
    flags = np.array([1, 1, 0, 1, 0, 0, 0, 0, 0, 0], dtype=bool)
    found = flagging(flags, bad)
    expected = {
        "precision": 200 / 3,
        "recall": 200 / 3,
        "f1": 200 / 3,
        "flagged": 30.0,
        "rate_error": 0.0,
    }
    assert found == pytest.approx({**expected, "f1_weighted": 0.3 * 200 / 3 + 0.7 * 600 / 7})


def test_without_errors_what_is_based_on_them_is_none_not_zero():
    bad = np.zeros(10, dtype=bool)
    assert ranking(np.arange(10), bad) == dict.fromkeys(("ap", "auroc", "precision_at_k", "lift_1"))
    found = flagging(np.arange(10) < 2, bad)
    assert (found["precision"], found["recall"], found["f1"]) == (0, None, None)
    assert (found["flagged"], found["rate_error"]) == (20, 20)
    assert ranking(np.arange(10), ~bad)["ap"] is None


def test_a_classifier_is_scored_by_accuracy_and_f1_weighted_by_class_size():
    true, predicted = np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1])
    assert classification(predicted, true) == pytest.approx(
        {"acc": 75.0, "f1": 100 * (0.75 * 0.8 + 0.25 * 2 / 3)}
    )
