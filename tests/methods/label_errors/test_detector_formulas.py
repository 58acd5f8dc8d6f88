"""Each detector's judgement against a slow computation of its formula, or
against the library that it calls.
"""

import math

import msgspec
import numpy as np
import pytest
import torch
from bench.builtin.methods.label_errors import aum as aum_file
from bench.builtin.methods.label_errors import mapd as mapd_file
from bench.builtin.methods.label_errors.aum import AreaUnderMargin
from bench.builtin.methods.label_errors.cleanlab_cl import CleanlabConfidentLearning
from bench.builtin.methods.label_errors.flag_all import FlagAll
from bench.builtin.methods.label_errors.flag_none import FlagNone
from bench.builtin.methods.label_errors.knn_vote import NeighbourVote
from bench.builtin.methods.label_errors.loss import Loss, _high
from bench.builtin.methods.label_errors.mapd import RANDOM, MetadataArchaeology, Probes, probes_of
from bench.builtin.methods.label_errors.oof_disagree import OutOfFoldDisagreement
from bench.builtin.methods.label_errors.random import Guess

from bench.runs.context import Run
from bench.tracks.label_errors import judgement, out_of_fold
from bench.tracks.noisy_labels import Problem, Seeds

CPU = torch.device("cpu")


@pytest.fixture
def run_of(tmp_path):
    def make(seed=0):
        return Run(
            seed=seed,
            task="label-errors/toy",
            method="label-errors/x",
            device=CPU,
            workdir=tmp_path,
        )

    return make


@pytest.fixture
def toy():
    """Blobs of three classes with a fifth of the labels redrawn, and a seldom fourth class."""

    def make(seed=0, rows=120, **protocol):
        generator = np.random.default_rng(seed)
        y = np.concatenate([generator.integers(0, 3, rows - 6), [3] * 6])
        x = generator.standard_normal((rows, 6)) + 2.5 * np.eye(4, 6)[y]
        y = np.where(generator.random(rows) < 0.2, generator.integers(0, 4, rows), y)
        protocol = {"widths": (8,), "epochs": 4, "batch_size": 16, "noise_rate": 0.15, **protocol}
        return Problem(
            x=torch.from_numpy(x).float(), y=torch.from_numpy(y), n_classes=4, **protocol
        )

    return make


@pytest.mark.parametrize("filter_by", ["prune_by_noise_rate", "confident_learning"])
def test_confident_learning_is_a_direct_call_of_the_library_on_the_same_probabilities(
    toy, run_of, filter_by
):
    pytest.importorskip("cleanlab")
    from cleanlab.filter import find_label_issues

    problem = toy()
    found = CleanlabConfidentLearning(filter_by=filter_by).solve(problem, run_of())
    probabilities = out_of_fold(problem, run_of()).numpy()
    expected = find_label_issues(problem.y.numpy(), probabilities, filter_by=filter_by, n_jobs=1)
    np.testing.assert_array_equal(found.flags, expected)
    # self-confidence is p of the given label
    np.testing.assert_array_equal(found.suspicion, 1 - probabilities[np.arange(120), problem.y])
    assert 0 < found.flags.sum() < 60


@pytest.mark.filterwarnings("ignore:May not flag all label issues")
def test_confident_learning_takes_a_class_without_rows_and_two_classes(toy, run_of):
    pytest.importorskip("cleanlab")
    problem = toy()
    without = msgspec.structs.replace(problem, y=problem.y.clamp_max(2))
    assert CleanlabConfidentLearning().solve(without, run_of()).flags.shape == (120,)
    two = msgspec.structs.replace(problem, y=problem.y % 2, n_classes=2)
    assert CleanlabConfidentLearning().solve(two, run_of()).flags.shape == (120,)


def test_disagreement_flags_where_the_likeliest_class_is_another(toy, run_of):
    problem = toy()
    found = OutOfFoldDisagreement().solve(problem, run_of())
    probabilities = out_of_fold(problem, run_of())
    assert found.flags.tolist() == [
        int(np.argmax(p)) != given
        for p, given in zip(probabilities.numpy(), problem.y.tolist(), strict=True)
    ]


def test_a_vote_counts_the_labels_of_the_nearest_by_cosine(toy, run_of):
    problem = toy()
    found = NeighbourVote(k=7).solve(problem, run_of())
    x = problem.x.double().numpy()
    for row in range(120):
        cosines = [
            -math.inf
            if other == row
            else x[row] @ x[other] / math.sqrt((x[row] @ x[row]) * (x[other] @ x[other]))
            for other in range(120)
        ]
        near = sorted(range(120), key=lambda other: -cosines[other])[:7]
        counts = np.bincount(problem.y[near], minlength=4)
        given = int(problem.y[row])
        assert found.suspicion[row] == pytest.approx(1 - counts[given] / 7)
        assert bool(found.flags[row]) == (counts.max() > counts[given])


def test_the_trivial_detectors_flag_nothing_everything_and_the_right_number(toy, run_of):
    problem = toy()
    assert not FlagNone().solve(problem, run_of()).flags.any()
    assert FlagAll().solve(problem, run_of()).flags.all()
    found = Guess().solve(problem, run_of())
    assert found.flags.sum() == round(0.15 * 120)
    assert len(found.suspicion.unique()) == 120
    assert found.suspicion[found.flags].min() > found.suspicion[~found.flags].max()
    assert not torch.equal(found.flags, Guess().solve(problem, run_of(1)).flags)


# Dynamics: the hooks are fed logits that are made up, and the notes they take are kept by hand as
# well -------------


def feed(method, seeds, state, classes, nets=1):
    """Feed every epoch's batches random logits; return them as {(net,
    member, row): [logits of each epoch]}.
    """
    generator = torch.Generator().manual_seed(0)
    seen = {}
    for epoch in range(seeds.problem.epochs):
        for batch in seeds.epoch(epoch):
            logits = torch.randn(nets, *batch.y.shape, classes, generator=generator)
            method.loss(state, batch, logits if nets > 1 else logits[0])
            for net in range(nets):
                for k, rows in enumerate(batch.rows.tolist()):
                    for position, row in enumerate(rows):
                        seen.setdefault((net, k, row), []).append(logits[net, k, position].double())
    return seen


@pytest.mark.parametrize("over", ["mean", "last"])
def test_the_loss_of_a_row_is_its_cross_entropy_over_the_epochs(toy, run_of, over):
    method, problems = Loss(over=over), [toy(0), toy(1)]
    seeds = Seeds(problems, [run_of(0), run_of(1)])
    state = method.start(seeds)
    seen = feed(method, seeds, state, 4)
    found = method.finish(state, seeds)
    for k, problem in enumerate(problems):
        losses = [
            [float(torch.logsumexp(z, 0) - z[problem.y[row]]) for z in seen[0, k, row]]
            for row in range(120)
        ]
        expected = [sum(own) / len(own) if over == "mean" else own[-1] for own in losses]
        np.testing.assert_allclose(-found[k]["clean_score"], expected, rtol=1e-5)
        assert not torch.equal(found[k]["kept"], torch.ones(120, dtype=torch.bool))


def test_losses_in_two_heaps_are_split_between_them_and_equal_ones_not_at_all():
    low, high = (
        np.random.default_rng(0).normal(0.2, 0.05, 80),
        np.random.default_rng(1).normal(3, 0.4, 40),
    )
    assert (
        _high(torch.from_numpy(np.concatenate([low, high])), 0).tolist()
        == [False] * 80 + [True] * 40
    )
    assert not _high(torch.ones(50), 0).any()


def test_each_net_of_aum_gives_the_fake_class_to_rows_of_its_own(toy, run_of):
    problem = msgspec.structs.replace(toy(), n_classes=5)  # as solve_stacked widens it
    state = aum_file._State(Seeds([problem], [run_of()]))
    assert state.fake.sum((1, 2)).tolist() == [120 // 5] * 2  # N / (C + 1)
    assert not state.fake.all(0).any()
    assert (state.labels.view(2, 1, -1)[state.fake] == 4).all()
    assert (
        state.labels.view(2, 1, -1)[~state.fake] == problem.y.expand(2, 1, -1)[~state.fake]
    ).all()


def test_aum_is_the_mean_margin_and_rows_below_the_99th_percentile_of_the_fake_class_are_flagged_once(
    toy, run_of
):
    method, problems = (
        AreaUnderMargin(),
        [msgspec.structs.replace(toy(seed), n_classes=5) for seed in (0, 1)],
    )
    seeds = Seeds(problems, [run_of(0), run_of(1)])
    state = method.start(seeds)
    seen = feed(method, seeds, state, 5, nets=2)
    found = method.finish(state, seeds)
    labels = state.labels.view(2, 2, -1)
    for k in (0, 1):
        margins = np.empty((2, 120))
        for net in (0, 1):
            for row in range(120):
                own = int(labels[net, k, row])
                margins[net, row] = np.mean(
                    [
                        float(z[own] - max(z[c] for c in range(5) if c != own))
                        for z in seen[net, k, row]
                    ]
                )
        fake = state.fake[:, k].numpy()
        limits = [np.percentile(margins[net][fake[net]], 99) for net in (0, 1)]
        expected = [
            margins[1][row] < limits[1] if fake[0][row] else margins[0][row] < limits[0]
            for row in range(120)
        ]
        assert (~found[k]["kept"]).tolist() == expected
        scores = [
            np.mean([margins[net][row] for net in (0, 1) if not fake[net][row]])
            for row in range(120)
        ]
        np.testing.assert_allclose(found[k]["clean_score"], scores, rtol=1e-4, atol=1e-6)


def test_the_net_of_aum_has_a_class_more_and_two_nets_start_from_other_weights(toy, run_of):
    solution = AreaUnderMargin().solve(toy(), run_of())
    assert solution.model(torch.zeros(3, 6)).shape == (3, 5)
    assert not torch.equal(
        solution.ensemble(torch.eye(6)), solution.model(torch.eye(6)).log_softmax(-1)
    )


@pytest.mark.parametrize("rows", [40, 120, 1000])
def test_probes_are_disjoint_and_of_the_kinds_they_claim(toy, rows):
    problem = toy(rows=rows)
    p = torch.rand(rows, 4, generator=torch.Generator().manual_seed(0)).double()
    p /= p.sum(1, keepdim=True)
    probes = probes_of(problem, p, np.random.default_rng(0), 0.02)
    count = min(20, rows // 8)
    assert probes.rows.shape == (2, 4 * count)
    typical, atypical, corrupted, redrawn = probes.rows.view(2, 4, count).unbind(1)
    assert torch.equal(corrupted, torch.arange(rows, rows + count).expand(2, -1))
    everything = torch.cat([typical[0], atypical[0], redrawn[0], redrawn[1]])
    assert len(everything.unique()) == 4 * count
    given = p[torch.arange(rows), problem.y]
    agrees = p.argmax(1) == problem.y
    assert (
        given[typical[0]].min()
        >= given[
            torch.tensor(
                sorted(set(range(rows)) - set(typical[0].tolist()) - set(atypical[0].tolist()))
            )
        ].max()
    )
    if agrees.sum() >= count:
        assert agrees[atypical[0]].all()
        assert given[atypical[0]].max() <= given[agrees].sort().values[count - 1]
    for net in (0, 1):
        changed = (probes.labels[net, :rows] != problem.y).nonzero()[:, 0]
        assert torch.equal(changed, redrawn[net].sort().values)
    noise = probes.x[rows:].std() / problem.x.std()
    assert 1.6 < noise < 3.2  # the rows and twice their deviation: sqrt(1 + 4) = 2.24


def test_a_row_of_mapd_is_what_most_of_its_nearest_probes_are():
    generator = np.random.default_rng(0)
    rows, count, epochs = 64, 6, 5
    chosen = np.stack(
        [
            np.concatenate(
                [np.arange(0, 12), np.arange(64, 70), np.arange(12 + 6 * net, 18 + 6 * net)]
            )
            for net in (0, 1)
        ]
    )
    probes = Probes(
        torch.from_numpy(chosen),
        torch.zeros(2, rows + count, dtype=torch.int64),
        torch.zeros(rows + count, 1),
    )
    losses = generator.standard_normal((2, rows + count, epochs))
    share, flags = MetadataArchaeology(k=5).judge(torch.from_numpy(losses), probes)
    for row in range(rows):
        votes = []
        for net in (0, 1):
            if row in chosen[net][18:]:
                continue  # its label was redrawn for this net
            others = [column for column in range(24) if chosen[net][column] != row]
            near = sorted(
                others,
                key=lambda column: np.linalg.norm(
                    losses[net][row] - losses[net][chosen[net][column]]
                ),
            )[:5]
            votes.append(np.bincount([column // 6 for column in near], minlength=4) / 5)
        mean = np.mean(votes, 0)
        assert share[row] == pytest.approx(mean[RANDOM])
        assert bool(flags[row]) == (mean[RANDOM] > np.delete(mean, RANDOM).max() + 1e-12)


def test_equal_shares_of_mapd_are_one_suspicion_and_a_tie_flags_nothing(monkeypatch):
    """Of ten neighbours one in one net and two in the other are as many as none and three: .15,
    however .1 + .2 and 0 + .3 are rounded.
    """
    votes = (
        ([4, 3, 2, 1], [4, 2, 2, 2]),  # random label: .1 and .2
        ([4, 4, 2, 0], [4, 2, 1, 3]),  # 0 and .3
        ([1, 2, 3, 4], [2, 3, 1, 4]),  # .4: the most frequent kind
        ([1, 4, 3, 2], [2, 2, 2, 4]),  # .2 and .4, no more than .4 and .2 of another kind
        ([1, 3, 5, 1], [2, 3, 3, 2]),
        ([4, 2, 2, 2], [4, 2, 2, 2]),  # the probes of random label, one of either net
        ([4, 2, 2, 2], [4, 2, 2, 2]),
    )
    shares = [torch.tensor([row[net] for row in votes], dtype=torch.float64) / 10 for net in (0, 1)]
    monkeypatch.setattr(mapd_file, "_shares", lambda *_: shares.pop(0))
    chosen = torch.tensor([[7, 7, 7, 5], [7, 7, 7, 6]])
    probes = Probes(chosen, torch.zeros(2, 8, dtype=torch.int64), torch.zeros(8, 1))
    found, flags = MetadataArchaeology().judge(torch.zeros(2, 8, 1), probes)
    assert found[0] == found[1] == found[4] == 0.15
    assert flags.tolist() == [False, False, True, False, False, False, False]


@pytest.mark.parametrize("coarse", [1, 2])
def test_mapd_s_judgement_is_the_same_in_any_order_of_rows_and_probes(coarse):
    """Losses of few values, so that many probes are equally far from a row."""
    generator = np.random.default_rng(coarse)
    rows, count, epochs = 40, 5, 3
    losses = torch.from_numpy(generator.integers(0, coarse + 1, (2, rows + count, epochs)) / 4.0)
    drawn, extra = generator.permutation(rows), np.arange(rows, rows + count)
    chosen = np.stack(
        [np.concatenate([drawn[:10], extra, drawn[first : first + count]]) for first in (10, 15)]
    )
    labels, x = torch.zeros(2, rows + count, dtype=torch.int64), torch.zeros(rows + count, 1)
    method = MetadataArchaeology(k=7)
    share, flags = method.judge(losses, Probes(torch.from_numpy(chosen), labels, x))
    place = np.concatenate([generator.permutation(rows), extra])  # row i moves to place[i]
    moved = torch.empty_like(losses)
    moved[:, place] = losses
    shuffled = place[chosen].reshape(2, 4, count)
    shuffled = generator.permuted(shuffled, axis=2).reshape(2, -1)
    again, flagged = method.judge(moved, Probes(torch.from_numpy(shuffled), labels, x))
    assert torch.equal(again[place[:rows]], share)
    assert torch.equal(flagged[place[:rows]], flags)
    assert 1 < share.unique().numel() < rows


def test_mapd_notes_each_epoch_s_loss_on_the_label_of_the_net(toy, run_of):
    method, problem = MetadataArchaeology(), toy()
    probes = probes_of(problem, out_of_fold(problem, run_of()), np.random.default_rng(0), 0.02)
    fields = {name: getattr(problem, name) for name in problem.__struct_fields__}
    seeds = Seeds(
        [mapd_file._Probed(**{**fields, "x": probes.x, "y": probes.labels[0]}, probes=probes)],
        [run_of()],
    )
    state = method.start(seeds)
    seen = feed(method, seeds, state, 4, nets=2)
    for (net, _, row), logits in seen.items():
        expected = [float(torch.logsumexp(z, 0) - z[probes.labels[net, row]]) for z in logits]
        np.testing.assert_allclose(state.losses[net, row], expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    "method",
    [Loss(), AreaUnderMargin(), MetadataArchaeology()],
    ids=lambda method: method.card.name,
)
def test_a_stacked_seed_is_the_same_whichever_seeds_run_beside_it(toy, run_of, method):
    problems = {seed: toy(seed) for seed in (0, 1, 2)}

    def solve(*seeds):
        return [
            judgement(solution, problems[seed])
            for seed, solution in zip(
                seeds,
                method.solve_stacked(
                    [problems[seed] for seed in seeds], [run_of(seed) for seed in seeds]
                ),
                strict=True,
            )
        ]

    pair, three = solve(1, 2), solve(0, 1, 2)
    for mine, other in zip(pair, three[1:], strict=True):
        assert torch.equal(mine.suspicion, other.suspicion)
        assert torch.equal(mine.flags, other.flags)
