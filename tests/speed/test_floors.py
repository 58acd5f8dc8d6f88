"""How far the board's default loops are from the bare products of their shapes.

``python -m pytest -m slow -s tests/speed/test_floors.py`` prints the table.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
import torch
from floors import Floor, Products, table
from torch import nn

from bench.executors.connection import PINNED


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
def test_default_loops_are_measured_beside_their_products_in_a_process_like_those_of_runs():
    """Print the table; what is above its limit is marked. Nothing is asserted of it: on a busy
    machine what a loop does besides its products slows down more than they do.
    """
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("floors.py"), "--json"],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | PINNED,
    )
    rows = msgspec.json.decode(done.stdout, type=list[Floor])
    sys.stdout.write("\n" + table(rows) + "\n")
    assert all(row.gflop > 0 and row.ratio > 0.9 for row in rows)
