"""The generated time series: what the formulas say, one by one."""

import math

import numpy as np
import pytest
import torch
from bench.builtin.datasets.control_charts import SHAPES, ControlCharts, charts

from bench.runs.artifacts import Artifacts
from bench.runs.context import Setup
from bench.runs.guard import fingerprint


@pytest.fixture
def data(tmp_path):
    run = Setup(
        seed=0,
        task="t",
        method="m",
        device=torch.device("cpu"),
        workdir=tmp_path,
        artifacts=Artifacts(tmp_path / "cache"),
    )
    return ControlCharts().load(run)


def test_the_series_are_those_whose_fingerprint_the_card_pins(data):
    assert fingerprint(data) == ControlCharts.card.fingerprint
    assert (data.x.shape, data.classes) == ((3000, 1, 60), 6)
    assert data.y.bincount().tolist() == [500] * 6


class Drawn:
    """Stands for a generator: hands out the same draws again, and remembers them."""

    def __init__(self):
        self.generator, self.all = np.random.Generator(np.random.PCG64(3)), []

    def uniform(self, low, high, shape):
        self.all.append(self.generator.uniform(low, high, shape))
        return self.all[-1]


def test_a_series_is_noise_about_thirty_with_the_cycle_trend_or_shift_of_its_shape():
    drawn = Drawn()
    found = charts(np.arange(6), drawn)
    noise, height, period, slope, shift, start = drawn.all
    for row, shape in enumerate(SHAPES):
        for t in range(1, 61):  # the slow way
            added = {
                "normal": 0.0,
                "cyclic": height[row, 0] * math.sin(2 * math.pi * t / period[row, 0]),
                "rising": slope[row, 0] * t,
                "falling": -slope[row, 0] * t,
                "shifted up": shift[row, 0] if t >= start[row, 0] else 0.0,
                "shifted down": -shift[row, 0] if t >= start[row, 0] else 0.0,
            }[shape]
            assert found[row, t - 1] == pytest.approx(30 + 2 * noise[row, t - 1] + added)


def test_draws_stay_in_the_ranges_of_the_paper():
    drawn = Drawn()
    charts(np.zeros(2000, dtype=int), drawn)
    for values, (low, high) in zip(
        drawn.all, ((-3, 3), (10, 15), (10, 15), (0.2, 0.5), (7.5, 20), (20, 40)), strict=True
    ):
        assert low <= values.min() < low + 0.02 * (high - low)
        assert high >= values.max() > high - 0.02 * (high - low)
