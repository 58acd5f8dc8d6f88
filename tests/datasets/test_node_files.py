"""Graphs with labelled nodes from local files, written here by hand: what is read of them, and that the
tasks count copies by the directions that the files have.
"""

import numpy as np
import pytest
import torch
from bench.builtin.datasets.heterophilous import Heterophilous
from bench.builtin.datasets.nba import Nba
from bench.builtin.tasks.node_graphs._task import leaked_of
from bench.builtin.tasks.node_graphs.heterophilous import HeterophilousGraphs
from bench.builtin.tasks.node_graphs.nba import NbaPlayers
from positive_small import Deaf

from bench.errors import DataUnavailable
from bench.runs.context import Setup

LINKED = ("squirrel", "squirrel-filtered", "chameleon", "chameleon-filtered")
PLAIN = ("roman-empire", "amazon-ratings", "minesweeper", "tolokers", "questions")
ARCS = [[5, 0], [0, 3], [0, 4], [1, 3], [1, 4], [2, 3], [2, 3], [6, 6], [3, 2]]
"""Links from a page to a page: 0 and 1 link to the same pages. One is given twice, one leads from a
page to itself, and one pair of pages links to each other.
"""
ONCE = sorted({tuple(sorted(pair)) for pair in ARCS if pair[0] != pair[1]})
"""The same edges, each once, from the lower number to the higher."""
CLASSES = [7, 7, 9, 9, 7, 9, 7]
PARTS = [0, 2, 0, 1, 1, 2, -1]
"""Of the first split; the next one has the training and the test nodes swapped."""
TABLE = """user_id,SALARY,AGE,country
30,1,20.5,0
10,-1,30,1
20,0,25,-1
40,2,21,1
50,0,22,0
60,1,23,1
70,0,24,0
80,1,25,1
90,0,26,0
"""


class _Serving(Deaf):
    """A task gets the dataset that it names."""

    def dataset(self, run, name, params):
        kind = {"heterophilous": Heterophilous, "nba": Nba}[name]
        return kind(**params).load(run)


@pytest.fixture
def run(tmp_path):
    """Return a task's run of a seed."""
    return lambda seed=0: Setup(
        seed=seed,
        task="t",
        method="m",
        device=torch.device("cpu"),
        workdir=tmp_path,
        tools=_Serving(),
    )


def write_graph(home, name, edges, **changed):
    """Write a graph as the authors do."""
    folder = home / "heterophilous-graphs"
    folder.mkdir(exist_ok=True)
    parts = np.array([PARTS, np.choose(np.array(PARTS) + 1, [-1, 2, 1, 0])])
    held = {
        "node_features": np.arange(14.0).reshape(7, 2),
        "node_labels": np.array(CLASSES),
        "edges": np.array(edges),
        "train_masks": parts == 0,
        "val_masks": parts == 1,
        "test_masks": parts == 2,
        **changed,
    }
    np.savez(folder / f"{name}.npz", **{key: at for key, at in held.items() if at is not None})


def write_players(home, relations="30\t10\n10\t30\n20\t20\n\n80\t90\n", table=TABLE):
    (home / "nba").mkdir()
    (home / "nba" / "nba.csv").write_text(table)
    (home / "nba" / "nba_relationship.txt").write_text(relations)


@pytest.mark.parametrize("subset", LINKED)
def test_a_graph_of_links_is_read_from_the_file_that_has_their_directions(home, run, subset):
    name = subset.replace("-", "_")
    write_graph(home, name, ONCE)
    with pytest.raises(DataUnavailable, match=f"{name}_directed.npz' is missing; clone"):
        Heterophilous(subset=subset).load(run())
    write_graph(home, f"{name}_directed", ARCS)
    assert Heterophilous(subset=subset).load(run())["arcs"].T.tolist() == ARCS


@pytest.mark.parametrize("subset", PLAIN)
def test_another_graph_has_each_edge_once_whatever_lies_beside_it(home, run, subset):
    name = subset.replace("-", "_")
    write_graph(home, name, ONCE)
    write_graph(home, f"{name}_directed", ARCS)
    data = Heterophilous(subset=subset).load(run())
    assert list(map(tuple, data["arcs"].T.tolist())) == ONCE
    assert (data["x"].dtype, data["x"][1].tolist()) == (torch.float32, [2.0, 3.0])
    assert data["y"].tolist() == [0, 0, 1, 1, 0, 1, 0]
    assert data["parts"].tolist() == [PARTS, [2, 0, 2, 1, 1, 0, -1]]


def test_a_file_without_an_array_is_refused_by_its_name(home, run):
    with pytest.raises(DataUnavailable, match=r"no folder .*; clone yandex-research"):
        Heterophilous().load(run())
    write_graph(home, "roman_empire", ONCE, val_masks=None)
    with pytest.raises(DataUnavailable, match=r"roman_empire.npz' has no 'val_masks'; clone"):
        Heterophilous().load(run())


@pytest.mark.parametrize(("subset", "leaked"), [("chameleon", 50.0), ("tolokers", 0.0)])
def test_pages_with_the_same_links_are_copies_only_where_links_have_a_direction(
    home, run, subset, leaked
):
    write_graph(home, "chameleon_directed", ARCS)
    write_graph(home, "tolokers", ARCS)
    whole = HeterophilousGraphs(subset=subset).whole(run())
    # 1, one of the two test nodes, links to what 0 links to; but 5 links to 0 and not to 1
    assert leaked_of(whole) == leaked
    # methods see every edge in both directions, none twice, and no loop
    both = {(a, b) for pair in ONCE for a, b in (pair, pair[::-1])}
    assert len(whole.edges.T) == len(both)
    assert set(map(tuple, whole.edges.T.tolist())) == both


@pytest.mark.parametrize(("seed", "train"), [(0, [0, 2]), (1, [1, 5]), (2, [0, 2]), (7, [1, 5])])
def test_the_seed_says_which_of_the_file_s_splits(home, run, seed, train):
    write_graph(home, "roman_empire", ONCE)
    task = HeterophilousGraphs(subset="roman-empire")
    problem = task.prepare(run(seed)).problems[0]
    assert problem.train.nonzero()[:, 0].tolist() == train
    assert (problem.y >= 0).nonzero()[:, 0].tolist() == train


def test_players_are_numbered_by_their_rows_and_what_is_unknown_of_them_is_marked(home, run):
    write_players(home)
    data = Nba().load(run())
    assert data["y"].tolist() == [1, -1, 0, 1, 0, 1, 0, 1, 0]
    assert data["s"].tolist() == [0, 1, -1, 1, 0, 1, 0, 1, 0]
    assert data["pairs"].T.tolist() == [[0, 1], [1, 0], [2, 2], [7, 8]]
    assert data["x"].dtype == torch.float32
    # neither the class, nor the second label, nor the player's number is a feature
    assert data["x"][:, 0].tolist() == [20.5, 30, 25, 21, 22, 23, 24, 25, 26]
    assert data["x"].shape == (9, 1)


def test_players_without_a_class_are_in_no_part_and_the_second_label_of_judged_ones_is_hidden(
    home, run
):
    write_players(home)
    for seed in range(5):
        case = NbaPlayers(known=2).prepare(run(seed))
        problem, whole = case.problems[0], case.hidden.whole
        assert whole.parts[1] == -1
        assert whole.parts[[0, *range(2, 9)]].bincount().tolist() == [4, 2, 2]
        told = problem.sensitive >= 0
        assert int(told.sum()) == 2
        assert bool((whole.parts[told] < 1).all())
        assert whole.edges.T.tolist() == [[1, 0], [0, 1], [8, 7], [7, 8]]
        torch.testing.assert_close(problem.x.mean(0), torch.zeros(1), rtol=0, atol=1e-6)
        torch.testing.assert_close(problem.x.std(0), torch.ones(1))


def test_a_folder_of_players_without_a_file_or_a_column_is_refused_by_its_name(home, run):
    with pytest.raises(DataUnavailable, match=r"no folder .*; copy dataset/NBA"):
        Nba().load(run())
    write_players(home, table=TABLE.replace("country", "land"))
    with pytest.raises(DataUnavailable, match=r"nba.csv' has no column 'country'; copy"):
        Nba().load(run())
    (home / "nba" / "nba.csv").write_text("user_id,SALARY,country\n")
    with pytest.raises(DataUnavailable, match=r"nba.csv' has no column 'SALARY'; copy"):
        Nba().load(run())
    (home / "nba" / "nba_relationship.txt").unlink()
    with pytest.raises(DataUnavailable, match=r"nba_relationship.txt' is missing; copy"):
        Nba().load(run())
