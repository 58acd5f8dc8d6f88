"""A run is served by its worker, and reaches nothing of it."""

import copy
import gc
import pickle

import torch

from bench.runs.context import Run
from bench.runs.tools import Tools, _serving, release, tools_of


class Counting(Tools):
    def __init__(self):
        self.seen = []

    def report(self, run, step, model):
        self.seen.append(step)


def made(tmp_path, tools=None):
    return Run(
        seed=0, task="t", method="m", device=torch.device("cpu"), workdir=tmp_path, tools=tools
    )


def test_a_run_is_served_by_its_tools_and_holds_none_of_them(tmp_path):
    tools = Counting()
    run = made(tmp_path, tools)
    run.report(1, None)
    assert tools.seen == [1]
    assert not any(isinstance(value, Tools) for value in vars(run).values())


def test_a_copy_of_a_run_is_served_as_long_as_either_lives(tmp_path):
    tools = Counting()
    run = made(tmp_path, tools)
    shallow, deep = copy.copy(run), copy.deepcopy(run)
    del run
    gc.collect()
    shallow.report(1, None)
    del shallow
    gc.collect()
    deep.report(2, None)
    assert tools.seen == [1, 2]


def test_what_serves_a_run_goes_with_it(tmp_path):
    before = len(_serving)
    run = made(tmp_path, Counting())
    assert len(_serving) == before + 1
    del run
    gc.collect()
    assert len(_serving) == before


def test_an_unpickled_run_is_like_one_made_by_hand_and_its_end_leaves_the_first_served(tmp_path):
    tools = Counting()
    run = made(tmp_path, tools)
    other = pickle.loads(pickle.dumps(run))
    other.report(1, None)
    del other
    gc.collect()
    run.report(2, None)
    assert tools.seen == [2]


def test_a_released_run_is_like_one_made_by_hand(tmp_path):
    tools = Counting()
    run = made(tmp_path, tools)
    release(run)
    run.report(1, None)
    assert tools.seen == []
    assert tools_of(run) is tools_of(made(tmp_path))


def test_a_run_that_is_over_leaves_nothing_that_serves_it(run_plan):
    before = len(_serving)
    records = run_plan(
        track="mock-regression", preset="smoke", seeds="2", methods=("constant",)
    ).records
    assert {record.status for record in records} == {"ok"}
    assert len(_serving) == before
