"""How far the board's default loops are from the bare products of their shapes.

``python -m pytest -m slow -s tests/speed/test_floors.py`` prints the table.
"""

from __future__ import annotations

import sys

import pytest
import torch
from floors import Products, loops, measured, table
from torch import nn


def test_the_products_of_a_step_are_those_of_its_forward_and_backward_pass():
    net, x = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 2)), torch.randn(3, 4)
    with Products() as products:
        net(x).square().sum().backward()
    forward = 2 * 3 * (4 * 5 + 5 * 2)
    assert products.operations == 2 * forward + 2 * 3 * 5 * 2  # the inputs need no gradient
    assert products.calls == 5


def test_products_are_computed_again_as_often_as_they_came_and_nothing_else_is():
    x, y = torch.randn(6, 7), torch.randn(7, 8)
    with Products() as first:
        for _ in range(3):
            (x @ y).exp()
        torch.nn.functional.conv2d(torch.randn(1, 2, 8, 8), torch.randn(4, 2, 3, 3))
    with Products() as again:
        first.again()
    assert (again.calls, again.operations) == (4, first.operations)


@pytest.mark.slow
def test_no_loop_is_quicker_than_its_products(tmp_path):
    rows = [measured(name, call, limit) for name, (call, limit) in loops(tmp_path).items()]
    sys.stdout.write("\n" + table(rows) + "\n")
    assert all(row.gflop > 0 and row.ratio > 0.9 for row in rows)
