"""Arguments of ``bench.run``: what the command line takes, in Python's own
types; sentences for the rest.
"""

from __future__ import annotations

import inspect
import itertools
from pathlib import Path

import click
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import bench
from bench import arguments
from bench.cli.run_ import command
from bench.errors import UsageError
from bench.notebook import Options
from bench.runs.seeds import parse_seeds

NAMES = {"methods": "method", "tasks": "task", "variants": "variant", "everything": "all"}
"""What the command's function calls an option -> what Python calls it,
where that is another name.
"""


def test_python_takes_what_the_command_line_takes_with_the_same_defaults():
    # what a terminal shows
    options = {
        option.name: option for option in command.params if option.name not in ("as_json", "wide")
    }
    arguments_ = inspect.signature(bench.run).parameters
    assert {NAMES.get(name, name) for name in options} == set(arguments_)
    for name, option in options.items():
        default = None if option.multiple else option.get_default(click.Context(command))
        assert (default if isinstance(default, str | int) and default else None) == (
            arguments_[NAMES.get(name, name)].default or None
        ), name


def test_type_checkers_know_every_argument():
    assert {*Options.__annotations__, "dry_run"} == set(inspect.signature(bench.run).parameters)


@pytest.mark.parametrize(
    ("given", "seeds"),
    [
        (None, [0, 1, 2]),
        (2, [0, 1]),
        (np.int64(2), [0, 1]),
        (torch.tensor(2), [0, 1]),
        ("2", [0, 1]),
        ("0-1,7", [0, 1, 7]),
        ([0, 1], [0, 1]),
        ([7], [7]),
        ((3, 1), [3, 1]),
        (range(2), [0, 1]),
        (range(5, 8), [5, 6, 7]),
        ((seed * 2 for seed in range(3)), [0, 2, 4]),
        ({4}, [4]),
        (np.arange(2), [0, 1]),
        (np.array([7]), [7]),
        (torch.tensor([7]), [7]),
        ([np.int32(4), 5], [4, 5]),
        ([999_999_999], [999_999_999]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_seeds_are_a_number_of_them_a_text_or_the_seeds_themselves(given, seeds):
    assert parse_seeds(arguments.seeds(given), 3) == seeds


@pytest.mark.parametrize(
    "given",
    [True, False, 0, -1, 1.0, 10**7, [], (), "", "  ", range(0), [True], [0, True], np.array([True]), torch.tensor(True), [-1], [0.0], ["0"], [None], [[0]], [0, 0], np.eye(2), {0: 1},
     b"01", object(), [10**9], itertools.count(), float("nan"), np.array(1.5)],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_what_is_no_seed_is_refused_with_a_sentence(given):
    with pytest.raises(
        UsageError,
        match=r"^seeds (got|holds) .+; (give a number of seeds like 5, seeds like \[0, 1, 7\] "
        r"or range\(3\)|leave one out)",
    ):
        arguments.seeds(given)


@given(
    st.lists(st.integers(0, 999_999_999), min_size=1, max_size=20, unique=True),
    st.sampled_from([list, tuple, iter, np.array]),
)
def test_seeds_come_out_as_they_went_in(seeds, kind):
    assert parse_seeds(arguments.seeds(kind(seeds)), 3) == seeds


@given(
    st.one_of(
        st.floats(),
        st.booleans(),
        st.text(),
        st.none(),
        st.binary(),
        st.complex_numbers(),
        st.lists(st.floats(), min_size=1),
    )
)
def test_whatever_is_no_number_of_seconds_is_refused_and_never_a_limit(value):
    try:
        found = arguments.seconds("timeout", value)
    except UsageError as error:
        assert "timeout got" in str(error)  # noqa: PT017
    else:
        assert found is None if value is None else 0 < found < float("inf")


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ({"timeout": float("nan")}, "timeout got nan; give a number of seconds above 0"),
        ({"timeout": 0}, "timeout got 0; give a number of seconds above 0"),
        ({"cpu_time": "60"}, "cpu_time got '60'; give a number of seconds above 0"),
        ({"jobs": True}, "jobs got True; give a whole number from 1 to 4096"),
        ({"jobs": 1.5}, "jobs got 1.5; give a whole number from 1 to 4096"),
        ({"per_gpu": 0}, "per_gpu got 0; give a whole number from 1 to 64"),
        ({"tune": 1}, "tune got 1; give a whole number from 2 to 1000"),
        (
            {"memory": 4},
            "memory got 4; give a size like '4GiB', 'none' for no limit, or at least 1048576 bytes",
        ),
        (
            {"memory": "much"},
            "--memory got 'much'; give a size like 512M or 4GiB, or none for no limit",
        ),
        ({"method": 5}, "method got 5; give a name or a comma list"),
        ({"task": [None]}, r"task got \[None\]; give a name or a comma list"),
        ({"track": ["noisy-labels"]}, r"track got \['noisy-labels'\]; give the name of a track"),
        ({"preset": None}, "preset got None; give 'smoke', 'default' or 'paper'"),
        ({"only": "lost"}, "--only got 'lost'. It takes missing, failed, stale"),
        ({"budget": -1}, "budget got -1; give a number of seconds above 0"),
        ({"budget": "soon"}, "--budget got 'soon'; give a time like 90s"),
        ({"dry_run": 1}, "dry_run got 1; give True or False"),
        ({"all": "yes"}, "all got 'yes'; give True or False"),
        ({"results": 5}, "results got 5; give a path as text or pathlib.Path"),
        ({"results": "a\0b"}, "results got 'a.x00b'; give a path as text or pathlib.Path"),
        ({"plugins": ["a\0b"]}, "plugins got 'a.x00b'; give a path, or a list of paths"),
        ({"plugins": [5]}, "plugins got 5; give a path, or a list of paths"),
        ({"executor": None}, "executor got None; give 'local', 'inline'"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_an_argument_of_a_wrong_kind_is_a_sentence_before_anything_runs(call, said, tmp_path):
    with pytest.raises(UsageError, match=said):
        bench.run(
            **{"method": "constant", "results": tmp_path / "results", "device": "cpu", **call}
        )
    assert not (tmp_path / "results").exists()


def test_a_path_alone_is_a_list_of_one():
    assert (
        arguments.paths("plugins", "my/plugin.py")
        == arguments.paths("plugins", Path("my/plugin.py"))
        == arguments.paths("plugins", ["my/plugin.py"])
    )
