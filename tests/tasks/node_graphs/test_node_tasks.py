"""The tasks: what is generated, what is hidden, which step is judged, leaks and fairness."""

import numpy as np
import pytest
import torch
from bench.builtin.datasets.digits import Digits
from bench.builtin.methods.node_graphs.neighbour_lists import NeighbourLists
from bench.builtin.tasks.node_graphs._fair import fairest, gap
from bench.builtin.tasks.node_graphs._metrics import auroc
from bench.builtin.tasks.node_graphs._patterns import base_pairs, expected, pattern_pairs
from bench.builtin.tasks.node_graphs._task import undirected
from bench.builtin.tasks.node_graphs.duplicates import Duplicates, blown_up
from bench.builtin.tasks.node_graphs.fair_blocks import FairBlocks
from bench.builtin.tasks.node_graphs.minesweeper import Minesweeper
from bench.builtin.tasks.node_graphs.pattern_digits import PatternDigits
from node_small import node_run
from positive_small import Deaf

from bench.contracts import Outcome
from bench.errors import InvalidRun
from bench.runs.artifacts import Artifacts
from bench.runs.context import Setup
from bench.tracks.node_graphs import Fixed, Problem, Solution, edge_homophily, twins


class _Serving(Deaf):
    def __init__(self, folder):
        self.folder = folder

    def dataset(self, run, name, params):
        assert name == "digits"
        return Digits().load(
            Setup(
                seed=0,
                task="t",
                method="m",
                device=torch.device("cpu"),
                workdir=self.folder,
                artifacts=Artifacts(self.folder / "cache"),
            )
        )


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("nodes")

    def make(task, seed=0):
        return Setup(
            seed=seed,
            task=f"node-graphs/{task.card.name}",
            method="node-graphs/x",
            device=torch.device("cpu"),
            workdir=folder,
            tools=_Serving(folder),
            artifacts=Artifacts(folder / "cache"),
        )

    return make


def judged(task, case, run, solution, reports=()):
    for step, model in reports:
        task.watch(case, 0, step, model)
    outcome = Outcome(solution=solution, curve=[], kept={}, cost={}, counters={})
    task.reveal(case, run)
    return task.evaluate(case, [outcome], run)


SMALL = (
    Minesweeper(side=12),
    PatternDigits(added=1000),
    Duplicates(base=200),
    FairBlocks(nodes=300, steps=10, hidden=16),
)


@pytest.mark.parametrize("task", SMALL, ids=lambda task: task.card.name)
def test_labels_of_validation_and_test_nodes_are_hidden_and_another_seed_draws_anew(made, task):
    case = task.prepare(made(task))
    problem, whole = case.problems[0], case.hidden.whole
    problem.validate()
    assert torch.equal(problem.train, whole.parts == 0)
    assert torch.equal(problem.y[problem.train], whole.y[problem.train])
    assert bool((problem.y[~problem.train] == -1).all())
    other = task.prepare(made(task, 1)).problems[0]
    assert not torch.equal(other.x, problem.x)


@pytest.mark.parametrize("task", SMALL[1:3], ids=lambda task: task.card.name)
def test_the_number_of_a_node_says_nothing_of_its_label(made, task):
    y = task.prepare(made(task)).hidden.labels
    # sorted like the dataset, three in ten digits follow the one before them
    assert float(((y[1:] - y[:-1]) % 10 == 1).double().mean()) < 0.2
    assert float((y[10:] == y[:-10]).double().mean()) < 0.2


def test_minesweeper_has_the_shares_that_the_published_graph_has(made):
    task = Minesweeper(side=100)
    whole = task.whole(made(task))
    assert whole.edges.shape[1] == 2 * 39_402
    assert int(whole.y.sum()) == 2000
    shares = [0.5, 0.086, 0.173, 0.144, 0.068, 0.023, 0.0065]
    torch.testing.assert_close(whole.x.mean(0), torch.tensor(shares), rtol=0, atol=0.01)
    assert bool((whole.x.sum(1) == 1).all())


def test_a_shown_cell_says_how_many_mines_are_around_it(made):
    task = Minesweeper(side=8)
    whole = task.whole(made(task))
    y, shown = whole.y.view(8, 8), whole.x.argmax(1).view(8, 8)
    for row in range(8):
        for column in range(8):
            near = y[max(0, row - 1) : row + 2, max(0, column - 1) : column + 2]
            count = int(near.sum() - y[row, column])
            assert int(shown[row, column]) in (0, 1 + min(count, 5))


def test_who_knows_the_other_mines_knows_this_one(made):
    task = Minesweeper(side=20)
    run = made(task)
    case = task.prepare(run)
    solution = task.with_others(case.problems[0], case.hidden, node_run(run.workdir))
    assert judged(task, case, run, solution).metrics["score"] > 99


def test_the_pattern_joins_neighbouring_classes_and_its_mean_numbers_are_those_drawn():
    y = np.repeat(np.arange(10), 150)
    generator = np.random.default_rng(0)
    pairs = pattern_pairs(y, 20_000, 0.0, generator)
    assert set(((y[pairs[1]] - y[pairs[0]]) % 10).tolist()) == {1, 9}
    base = base_pairs(y, generator)
    assert (y[base[0]] == y[base[1]]).mean() == pytest.approx(0.81, abs=0.02)
    for gamma in (0.0, 0.5):
        both = np.concatenate([base, pattern_pairs(y, 20_000, gamma, generator)], 1)
        counts = np.zeros((10, 10))
        np.add.at(counts, (y[both[0]], y[both[1]]), 1)
        found = (counts + counts.T) / 150
        np.testing.assert_allclose(found, expected(y, 20_000, gamma), atol=0.12 * found.max())


def test_more_edges_of_the_pattern_make_the_graph_less_homophilous(made):
    found = []
    for added in (0, 3000, 24_000):
        task = PatternDigits(added=added)
        whole = task.whole(made(task))
        found.append(edge_homophily(whole.edges, whole.y))
    assert found == pytest.approx([0.81, 0.44, 0.11], abs=0.03)


def test_copies_have_the_neighbours_of_their_originals_whoever_else_is_copied():
    edges = undirected(np.array([[0, 1], [1, 2]]), 3).numpy()
    found = blown_up(edges, np.array([0, 1, 2, 0, 1]))
    pairs = set(map(tuple, found.T.tolist()))
    assert pairs == {pair for a in (0, 3, 2) for b in (1, 4) for pair in ((a, b), (b, a))}
    assert twins(torch.from_numpy(found), torch.tensor([0, 1, 2, 0, 1])).tolist() == [
        0,
        1,
        -1,
        0,
        1,
    ]


def test_memorised_lists_of_neighbours_win_on_the_leaky_graph_alone_and_the_gate_says_why(made):
    scores = {}
    for filtered in (False, True):
        task = Duplicates(base=300, filtered=filtered)
        run = made(task)
        case = task.prepare(run)
        solution = NeighbourLists().solve(case.problems[0], node_run(run.workdir))
        score = judged(task, case, run, solution)
        scores[filtered] = score.metrics["score"]
        assert score.gates["no-leak"] == filtered
        assert (score.metrics["leak"] > 40) != filtered
    assert scores[False] > scores[True] + 15


def test_the_first_of_the_steps_that_are_best_on_validation_is_judged(made):
    task = Minesweeper(side=12)
    run = made(task)
    case = task.prepare(run)
    y, parts = case.hidden.whole.y, case.hidden.whole.parts
    right = torch.nn.functional.one_hot(y, 2).float()
    half = torch.where((parts == 1)[:, None], right, right.flip(1))
    reports = [(2, Fixed(right.flip(1))), (4, Fixed(half)), (6, Fixed(right)), (8, Fixed(right))]
    score = judged(task, case, run, Solution(model=Fixed(right)), reports)
    # the steps 4 and 6 are equals on validation nodes
    assert score.metrics["step"] == 4
    assert score.metrics["score"] == 0.0
    again = judged(task, task.prepare(made(task)), run, Solution(model=Fixed(right)))
    assert again.metrics["score"] == 100.0
    assert again.metrics["step"] is None
    assert again.images["graph"].shape == (440, 440, 3)


def test_auroc_of_equal_scores_counts_half():
    logits = torch.tensor([[0.0, 1.0], [0.0, 1.0], [0.0, 0.0], [0.0, 2.0]])
    # pairs of a positive and a negative: one tie, one wrong, one right, one right
    assert auroc(logits, torch.tensor([1, 0, 0, 1])) == pytest.approx(100 * 3.5 / 4)


def test_the_gap_of_two_groups_is_the_distance_of_their_shares():
    positive, s = np.array([1, 1, 0, 0, 1]) == 1, np.array([0, 0, 0, 1, 1])
    assert gap(positive, s) == pytest.approx(100 * (2 / 3 - 1 / 2))
    assert gap(positive[:3], s[:3]) == 0.0


def test_the_fairest_step_near_the_best_accuracy_is_chosen():
    seen = {2: (60.0, 0.0), 4: (80.0, 30.0), 6: (78.0, 10.0), 8: (77.5, 10.0)}
    assert fairest(seen) == 6


def test_fair_blocks_says_what_a_net_without_a_penalty_reaches_and_gates_by_it(made):
    task = SMALL[-1]
    run = made(task)
    case = task.prepare(run)
    problem, whole = case.problems[0], case.hidden.whole
    told = problem.sensitive >= 0
    assert int(told.sum()) == 100
    assert torch.equal(problem.sensitive[told], whole.sensitive[told])
    assert edge_homophily(whole.edges, whole.sensitive) == pytest.approx(0.83, abs=0.03)
    constant = Solution(model=Fixed(torch.tensor([[1.0, 0.0]]).expand(300, 2)))
    score = judged(task, case, run, constant)
    assert score.metrics["unfair"] == 0.0
    assert case.hidden.gcn is not None
    assert score.gates["accuracy"] == (score.metrics["acc"] >= case.hidden.gcn - 8)
    by_second = torch.nn.functional.one_hot(whole.sensitive, 2).float()
    again = made(task)
    worst = judged(task, task.prepare(again), again, Solution(model=Fixed(by_second)))
    assert worst.metrics["parity"] == 100.0
    assert worst.metrics["unfair"] == 200.0


def test_impossible_parameters_are_refused_in_a_sentence(made):
    task = FairBlocks(nodes=100, known=101)
    with pytest.raises(InvalidRun, match="tell no more than these"):
        task.prepare(made(task))


@pytest.mark.parametrize("mines", [1e-300, 0.9999])
def test_a_grid_with_cells_of_one_class_is_refused_in_a_sentence(mines, made):
    task = Minesweeper(side=8, mines=mines)
    with pytest.raises(
        InvalidRun, match=r"cells are of one class; take a share nearer to one half"
    ):
        task.prepare(made(task))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"train": torch.zeros(4, dtype=torch.bool)}, "mark at least one"),
        ({"y": torch.tensor([0, 1, 1, 1])}, "set the others to -1"),
        ({"edges": torch.tensor([[0, 1], [0, 1]])}, "leave loops out"),
        ({"edges": torch.tensor([[0, 1, 0, 1], [1, 0, 1, 0]])}, "store each direction once"),
        ({"edges": torch.tensor([[0], [1]])}, "store both directions"),
    ],
)
def test_a_graph_that_is_none_is_refused_in_a_sentence(change, sentence):
    y = torch.tensor([0, 1, -1, -1])
    fields = {
        "x": torch.zeros(4, 2),
        "edges": torch.tensor([[0, 1], [1, 0]]),
        "y": y,
        "train": y >= 0,
        "n_classes": 2,
    }
    Problem(**fields).validate()
    with pytest.raises(InvalidRun, match=sentence):
        Problem(**fields | change).validate()
