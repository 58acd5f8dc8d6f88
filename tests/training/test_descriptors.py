"""Descriptors of rows and labels: by hand, on cubes of known dimension, and by a slow loop."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.training.descriptors import (
    balance,
    intrinsic_dim,
    label_sharpness,
    nearest,
    neighbour_agreement,
    repeated,
    scaled,
)

NAN = float("nan")


@pytest.mark.parametrize("d", [2, 5])
def test_uniform_cubes_have_their_dimension_also_inside_a_larger_space(d):
    generator = torch.Generator().manual_seed(0)
    cube = torch.rand(1500, d, generator=generator, dtype=torch.float64)
    turned = torch.linalg.qr(torch.randn(9, 9, generator=generator, dtype=torch.float64))[0][:d]
    assert intrinsic_dim(cube) == pytest.approx(d, rel=0.15)
    assert intrinsic_dim(cube @ turned) == pytest.approx(intrinsic_dim(cube), rel=1e-6)


def test_the_dimension_is_that_of_a_loop_over_rows_and_neighbours():
    x = torch.rand(40, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    logs = []
    for row in x:
        apart = sorted(float((row - other).norm()) for other in x if not torch.equal(row, other))
        logs += [math.log(apart[4] / near) for near in apart[:4]]
    assert intrinsic_dim(x, k=5) == pytest.approx(len(logs) / sum(logs))
    doubled = torch.cat([x, x[:10]])
    assert intrinsic_dim(doubled, k=5) == pytest.approx(intrinsic_dim(x, k=5))
    assert intrinsic_dim(x[:20]) is None


def test_sharpness_is_that_of_the_nearest_rows_with_different_labels():
    x = torch.tensor([[0.0, 0.0], [0.0, 0.1], [1.0, 0.0], [1.0, 0.5]]).double()
    assert label_sharpness(x, torch.tensor([0, 0, 1, 1])) == pytest.approx(1)
    assert label_sharpness(x, torch.tensor([0, 1, 1, 1])) == pytest.approx(10)
    assert label_sharpness(x, torch.tensor([2, 2, 2, 2])) == 0
    # more than two classes: labels that differ count, not those that are equal
    assert label_sharpness(x, torch.tensor([0, 0, 1, 2])) == pytest.approx(2)
    assert label_sharpness(x[[0, 0]], torch.tensor([0, 1])) == math.inf
    assert label_sharpness(x[:1], torch.tensor([0])) is None


def test_neighbours_agree_where_labels_lie_together():
    x = torch.tensor([[0.0], [0.1], [1.0], [1.3]]).double()
    assert neighbour_agreement(x, torch.tensor([0, 0, 1, 1])) == 100
    assert neighbour_agreement(x, torch.tensor([0, 1, 0, 1])) == 0
    assert neighbour_agreement(x, torch.tensor([0, 0, 0, 1])) == 50
    apart, rows = nearest(x, 2)
    assert rows.tolist() == [[1, 2], [0, 2], [3, 1], [2, 1]]
    assert apart[3].tolist() == pytest.approx([0.3, 1.2])


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=20))
@settings(max_examples=50, deadline=None)
def test_a_row_is_repeated_if_an_earlier_one_is_equal(rows):
    x = torch.tensor(rows).float()
    assert repeated(x).tolist() == [row in rows[:place] for place, row in enumerate(rows)]


def test_missing_values_are_equal_to_each_other_and_to_nothing_else():
    x = torch.tensor([[0.0, 1.0], [NAN, 1.0], [NAN, 1.0], [0.0, 1.0]])
    assert repeated(x).tolist() == [False, False, True, True]


def test_balance_is_1_of_equal_classes_and_falls_with_a_rare_one():
    assert balance(torch.tensor([0, 1, 2, 0, 1, 2])) == pytest.approx(1)
    rare = torch.tensor([0] * 9 + [1])
    by_hand = -(0.9 * math.log(0.9) + 0.1 * math.log(0.1)) / math.log(2)
    assert balance(rare) == pytest.approx(by_hand)
    assert balance(torch.zeros(4, dtype=torch.int64)) is None


def test_tables_are_scaled_by_column_and_pictures_as_a_whole():
    table = torch.tensor([[0.0, 10.0], [2.0, NAN], [4.0, 30.0]])
    assert scaled(table).tolist() == [[0, 0], [0.5, 0.5], [1, 1]]
    assert scaled(torch.ones(3, 2)).tolist() == [[0, 0]] * 3
    pictures = torch.tensor([[[[0, 255]]], [[[51, 102]]]], dtype=torch.uint8)
    assert scaled(pictures).flatten().tolist() == pytest.approx([0, 1, 0.2, 0.4])
    assert scaled(torch.tensor([[[[1.0, 3.0]]], [[[2.0, 2.0]]]])).tolist() == [[0, 1], [0.5, 0.5]]
