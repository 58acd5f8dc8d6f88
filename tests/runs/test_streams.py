"""Random streams: what moves them, what does not, and that nobody's stream leaks into another's."""

from __future__ import annotations

import contextlib
import random

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import BenchError, BenchWarning
from bench.runs.context import Run, Setup
from bench.runs.stream_roles import ROLES

roles = st.sampled_from(sorted(ROLES))
axes = st.lists(st.integers(-5, 1000) | st.text(max_size=5), max_size=3).map(tuple)
PUBLIC = sorted(set(ROLES) - {"method"})


def make(seed=0, task="track/task", method="track/method", axis=0, kind=Run):
    return kind(
        seed=seed, task=task, method=method, device=torch.device("cpu"), workdir=None, axis=axis
    )


def numbers(run, role, *axes):
    return run.numpy_generator(role, *axes).integers(2**62, size=4).tolist()


@given(roles, axes)
def test_the_same_seed_role_and_axes_give_the_same_numbers_in_every_run(role, axes):
    assert numbers(make(), role, *axes) == numbers(make(), role, *axes)
    drawn = [torch.rand(5, generator=make().torch_generator(role, *axes)) for _ in range(2)]
    assert torch.equal(*drawn)


@given(roles, axes, axes)
def test_other_axes_give_other_numbers(role, one, other):
    same = [type(axis) for axis in one] == [type(axis) for axis in other] and one == other
    assert (numbers(make(), role, *one) == numbers(make(), role, *other)) == same


@given(axes)
def test_no_two_roles_share_their_numbers(axes):
    assert len({tuple(numbers(make(), role, *axes)) for role in ROLES}) == len(ROLES)


@given(roles, axes, st.integers(0, 2**31))
def test_another_seed_or_task_gives_other_numbers(role, axes, seed):
    base = numbers(make(seed=seed), role, *axes)
    assert base != numbers(make(seed=seed + 1), role, *axes)
    assert base != numbers(make(seed=seed, task="track/other"), role, *axes)


@pytest.mark.parametrize("role", PUBLIC)
def test_what_methods_are_paired_by_does_not_depend_on_the_method(role):
    assert numbers(make(method="track/a"), role, 1) == numbers(make(method="track/b"), role, 1)


def test_the_stream_method_is_private_to_the_method():
    assert numbers(make(method="track/a"), "method", 1) != numbers(
        make(method="track/b"), "method", 1
    )


@pytest.mark.parametrize("role", ["init", "order", "augment", "method"])
def test_every_problem_of_a_case_has_its_own_training_streams(role):
    assert len({tuple(numbers(make(axis=k), role)) for k in range(4)}) == 4


@pytest.mark.parametrize("role", ["split", "corruption", "eval"])
def test_the_problems_of_a_case_share_the_streams_of_the_data(role):
    assert len({tuple(numbers(make(axis=k), role)) for k in range(4)}) == 1


def test_a_task_and_a_method_see_one_stream_of_one_role():
    assert numbers(make(kind=Setup), "eval") == numbers(make(kind=Run), "eval")


def test_numpy_and_torch_generators_of_one_stream_do_not_move_the_global_ones():
    before = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()
    run = make()
    torch.rand(3, generator=run.torch_generator("order", 1))
    run.numpy_generator("split").random(3)
    assert torch.equal(before[0], torch.get_rng_state())
    assert np.array_equal(before[1], np.random.get_state()[1])
    assert before[2] == random.getstate()


@pytest.mark.parametrize("ask", ["seeded", "torch_generator", "numpy_generator"])
def test_an_unknown_role_is_an_error_that_names_the_roles(ask):
    with pytest.raises(BenchError, match=r"no stream 'shuffle'.*split, corruption, init"):
        getattr(make(), ask)("shuffle")


def test_a_stream_asked_for_twice_warns_and_one_with_another_axis_does_not():
    run = make()
    run.numpy_generator("order", 1)
    run.numpy_generator("order", 2)
    run.torch_generator("init", 1)
    with pytest.warns(BenchWarning, match=r"'order' was asked for twice with the axes \[1\]"):
        run.torch_generator("order", 1)


@given(roles, axes, st.booleans())
def test_seeded_restores_every_global_stream_even_after_an_error(role, axes, fails):
    torch.manual_seed(1)
    np.random.seed(2)
    random.seed(3)
    expected = (
        torch.rand(3).tolist(),
        np.random.random(3).tolist(),
        [random.random() for _ in range(3)],
    )
    torch.manual_seed(1)
    np.random.seed(2)
    random.seed(3)
    inside = []
    for _ in range(2):
        with contextlib.suppress(ZeroDivisionError), make().seeded(role, *axes):
            inside.append((torch.rand(2).tolist(), np.random.random(2).tolist(), random.random()))
            if fails:
                raise ZeroDivisionError
    assert inside[0] == inside[1]
    assert (
        torch.rand(3).tolist(),
        np.random.random(3).tolist(),
        [random.random() for _ in range(3)],
    ) == expected


def test_nets_built_inside_seeded_are_equal_for_two_methods_and_differ_between_problems():
    def net(**options):
        with make(**options).seeded("init"):
            return torch.nn.Linear(4, 3).weight.tolist()

    assert net(method="track/a") == net(method="track/b")
    assert net(axis=0) != net(axis=1)


def test_the_builder_of_an_artifact_draws_from_streams_of_its_recipe_alone(tmp_path):
    from bench.runs.artifacts import Artifacts

    drawn = {}
    for position, (seed, method) in enumerate([(0, "track/a"), (7, "track/b")]):
        artifacts = Artifacts(tmp_path / str(position))
        run = Run(
            seed=seed,
            task="track/task",
            method=method,
            device=torch.device("cpu"),
            workdir=tmp_path,
            artifacts=artifacts,
        )

        def build(child):
            return {
                "x": torch.rand(4, generator=child.torch_generator("init")),
                "m": torch.rand(4, generator=child.torch_generator("method")),
            }

        for level in (1, 2):
            tensors, _ = run.cached({"level": level}, build)
            drawn[position, level] = [tensors["x"].tolist(), tensors["m"].tolist()]
    assert drawn[0, 1] == drawn[1, 1]
    assert drawn[0, 1][0] != drawn[0, 2][0]


def test_the_streams_are_the_ones_of_all_earlier_records():
    """Pinned numbers: if this fails, every key must change too (raise PROTOCOL)."""
    assert numbers(make(), "split")[:2] == [1326247068179427036, 560399245144615685]
