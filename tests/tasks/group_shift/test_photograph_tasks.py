"""Photographs with an attribute that goes with the label: parts, groups and the upper reference."""

import pytest
import torch
from bench.builtin.datasets._photographs import Photographs
from bench.builtin.datasets.focus import Settings
from bench.builtin.tasks.group_shift.celeba import CelebA
from bench.builtin.tasks.group_shift.focus import Focus
from bench.builtin.tasks.group_shift.waterbirds import Waterbirds
from serving import Serving

from bench.errors import InvalidRun
from bench.runs.context import Run, Setup
from bench.tracks.group_shift import GroupMethod

COUNTS = {(0, 0): 60, (0, 1): 4, (1, 0): 8, (1, 1): 28}
"""Training rows of each label and attribute."""


def photographs(part=2):
    """A hundred training rows, sorted by group, and four of each group in the other parts."""
    rows = [(*pair, 0) for pair, count in COUNTS.items() for _ in range(count)]
    rows += [(*pair, other) for other in range(1, part + 1) for pair in COUNTS for _ in range(4)]
    y, attribute, part = torch.tensor(rows).T
    generator = torch.Generator().manual_seed(0)
    x = torch.randint(256, (len(y), 3, 8, 8), generator=generator, dtype=torch.uint8)
    return Photographs(x=x, y=y, attribute=attribute, part=part)


@pytest.fixture
def setup_of(tmp_path):
    def make(task, kind=Setup, seed=0, data=None):
        name = task.card.name
        return kind(
            seed=seed,
            task=f"group-shift/{name}",
            method="group-shift/erm",
            device=torch.device("cpu"),
            workdir=tmp_path,
            tools=Serving(photographs() if data is None else data),
        )

    return make


@pytest.mark.parametrize("kind", [Waterbirds, CelebA])
def test_the_parts_are_the_authors_and_the_seed_draws_the_training_rows(setup_of, kind):
    task = kind(n_train=40, net="mlp", widths=(8,))
    cases = [task.prepare(setup_of(task, seed=seed)) for seed in (0, 1)]
    for case in cases:
        assert case.problems[0].x.shape == (40, 3, 8, 8)
        assert case.problems[0].train_groups is not None
        assert len(case.hidden.y_val) == len(case.hidden.y_test) == 16
    assert not torch.equal(cases[0].problems[0].y, cases[1].problems[0].y)
    assert torch.equal(cases[0].hidden.y_test, cases[1].hidden.y_test)


def test_rows_contradict_the_shortcut_whose_attribute_is_not_the_usual_one_of_their_label(setup_of):
    task = Waterbirds(net="mlp", widths=(8,))
    case = task.prepare(setup_of(task))
    problem, hidden = case.problems[0], case.hidden
    rare = task.conflicts(problem, hidden)
    assert int(rare.sum()) == COUNTS[0, 1] + COUNTS[1, 0]
    assert torch.equal(rare, hidden.a_train != problem.y)
    # where one value is the rarer one of both labels, it is that one
    blond = CelebA(net="mlp", widths=(8,))
    every = photographs()
    few = Photographs(
        x=every.x, y=every.y, attribute=(every.attribute == every.y).long(), part=every.part
    )
    case = blond.prepare(setup_of(blond, data=few))
    assert torch.equal(blond.conflicts(case.problems[0], case.hidden), case.hidden.a_train == 0)


def test_the_upper_reference_trains_on_as_many_rows_of_which_every_group_has_its_share(
    setup_of, monkeypatch
):
    seen, gather = [], GroupMethod.gather

    def watched(self, problems, runs):
        seen.extend(problems)
        return gather(self, problems, runs)

    monkeypatch.setattr(GroupMethod, "gather", watched)
    # it has seen the validation rows, which must not choose its epoch
    monkeypatch.setattr(Run, "report", lambda *_: pytest.fail("an epoch was reported"))
    task = Waterbirds(net="mlp", widths=(8,))
    case = task.prepare(setup_of(task))
    problem, hidden = case.problems[0], case.hidden
    task.train_on_equal_groups(problem, hidden, setup_of(task, Run))
    known = {
        tuple(row): int(group)
        for x, y, a in (
            (problem.x, problem.y, hidden.a_train),
            (hidden.x_val, hidden.y_val, hidden.a_val),
        )
        for row, group in zip(x.flatten(1).tolist(), task.groups(y, a), strict=True)
    }
    (balanced,) = seen
    drawn = torch.tensor([known[tuple(row)] for row in balanced.x.flatten(1).tolist()])
    assert len(drawn) == 100
    assert torch.equal(drawn // 2, balanced.y)
    assert drawn.bincount(minlength=4).min() >= 12  # of 25; four of the rows alone are of one group


def test_a_table_without_test_rows_is_refused_in_a_sentence(setup_of):
    task = Waterbirds()
    with pytest.raises(InvalidRun, match="waterbirds has no test rows"):
        task.prepare(setup_of(task, data=photographs(part=1)))


@pytest.mark.parametrize("task", [Waterbirds, CelebA, Focus])
def test_without_the_photographs_a_run_is_unavailable_with_how_to_have_them(
    task, monkeypatch, tmp_path, capsys
):
    from bench.cli import main

    monkeypatch.setenv("BENCH_DATA", str(tmp_path))
    name = task.card.name
    with pytest.raises(SystemExit):
        main(
            [
                *("run", "--method", "group-shift/erm", "--task", name, "--preset", "smoke"),
                *("--executor", "inline", "--results", str(tmp_path / "results")),
            ]
        )
    assert f"the data set '{name}' is not on this machine" in capsys.readouterr().err


def objects():
    """Four hundred objects of ten categories; every pixel of a picture is its number."""
    rows = torch.arange(400)
    count = rows // 100  # how much of the setting is uncommon
    uncommon = torch.arange(3)[None] < count[:, None]
    x = (rows % 200).view(-1, 1, 1, 1).expand(-1, 3, 8, 8).to(torch.uint8)
    return Settings(x=x.clone(), y=rows % 10, uncommon=uncommon)


def test_objects_are_in_common_settings_in_training_and_in_all_settings_in_the_test(setup_of):
    task = Focus(net="mlp", widths=(8,))
    case = task.prepare(setup_of(task, data=objects()))
    problem, hidden = case.problems[0], case.hidden
    assert (len(problem.y), len(hidden.y_val), len(hidden.y_test)) == (60, 16, 24 + 150)
    assert hidden.a_train.max() == hidden.a_val.max() == 0
    assert hidden.a_test.bincount()[0] == 24
    assert hidden.a_test.max() == 3
    # the upper reference has half of its rows in exchange for others of the same labels
    same = (hidden.upper == problem.x).flatten(1).all(1)
    assert 28 <= int(same.sum()) <= 40


def test_accuracy_is_that_of_the_rows_whose_setting_is_uncommon_in_so_many_ways(setup_of):
    task = Focus(net="mlp", widths=(8,))
    setup = setup_of(task, data=objects())
    case = task.prepare(setup)
    problem, hidden = case.problems[0], case.hidden

    class Knows(torch.nn.Module):
        """Is right where at most one thing is uncommon."""

        def forward(self, x):
            right = torch.nn.functional.one_hot(hidden.y_test, 10)
            return torch.where(hidden.a_test[:, None] <= 1, right, right.roll(1, 1)).float()

    found, _ = task.figures(Knows(), hidden, problem, setup)
    assert [found[f"acc_{name}"] for name in ("common", "one", "two", "three")] == [100, 100, 0, 0]
    ones = int((hidden.a_test == 1).sum())
    assert found["acc_uncommon"] == pytest.approx(100 * ones / 150)
    few = hidden.a_test == 0
    hidden.a_test = torch.where(few, 0, 1)
    assert task.figures(Knows(), hidden, problem, setup)[0]["acc_three"] is None
