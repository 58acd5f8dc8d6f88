"""Late stopping against a plain count of what was learned when."""

import itertools
import math

import bench.builtin.methods.noisy_labels.late_stopping as home
import pytest
import torch
from bench.builtin.methods.noisy_labels.ce import CrossEntropy
from bench.builtin.methods.noisy_labels.late_stopping import LateStopping
from noisy_helpers import trained

from bench.tracks.noisy_labels import Seeds


def test_without_rounds_it_is_cross_entropy_bit_for_bit(toy, run_of):
    problem = toy()
    assert torch.equal(
        trained(LateStopping(rounds=()), [problem], [run_of(0)])[0],
        trained(CrossEntropy(), [problem], [run_of(0)])[0],
    )
    solution = LateStopping(rounds=()).solve(problem, run_of(0))
    assert solution.kept.all()


def scripted(toy, run_of, monkeypatch, method, streak, right, number=0, **protocol):
    """Play a round whose nets predict as ``right`` (epochs, n) says, and
    return the epochs found and those that were played.
    """
    problem = toy(rows=right.shape[1], epochs=len(right), **protocol)
    seeds = Seeds([problem], [run_of(0)])
    played = []

    def said(self, nets, rows=None):
        played.append(len(played) + method.skip)
        predicted = torch.where(right[played[-1]], self.y[0], (self.y[0] + 1) % 4)
        return torch.nn.functional.one_hot(predicted, 4)[rows[0]][None]

    monkeypatch.setattr(Seeds, "logits", said)
    monkeypatch.setattr(home, "train_step", lambda *_: None)
    return method._round(seeds, torch.arange(right.shape[1])[None], number, streak), played


@pytest.mark.parametrize("streak", [1, 2, 3])
@pytest.mark.parametrize("skip", [0, 2, 5])
def test_a_row_is_learned_at_the_end_of_its_first_streak_after_the_epochs_skipped(
    toy, run_of, monkeypatch, streak, skip
):
    torch.manual_seed(streak)
    right = torch.rand(12, 60) < 0.5
    method = LateStopping(skip=skip, cap=1.0, shrink=1.0)
    found, _ = scripted(toy, run_of, monkeypatch, method, streak, right)
    for i in range(60):
        row, expected = right[:, i].tolist(), math.inf
        for epoch in range(skip + streak - 1, 12):
            if all(row[epoch - back] for back in range(streak)):
                expected = epoch
                break
        assert found[i].item() == expected


@pytest.mark.parametrize("number", [0, 2])
def test_a_round_ends_with_the_epoch_in_which_enough_rows_are_learned(
    toy, run_of, monkeypatch, number
):
    right = torch.arange(100)[None] < 12 * torch.arange(1, 11)[:, None]  # twelve more each epoch
    method = LateStopping(rounds=(3,), skip=0, cap=1.0)
    found, played = scripted(toy, run_of, monkeypatch, method, 1, right, number, noise_rate=0.3)
    enough = int(100 * 0.7 ** ((number + 1) / 3))  # shrink = (1 - rate)^(1 / rounds)
    assert len(played) == math.ceil(enough / 12)
    assert int(found.isfinite().sum()) == min(100, 12 * len(played)) >= enough


def test_a_round_that_never_gets_there_stops_at_its_cap(toy, run_of, monkeypatch):
    right = torch.zeros(10, 40, dtype=torch.bool)
    right[:, :5] = True
    found, played = scripted(toy, run_of, monkeypatch, LateStopping(skip=1, cap=0.6), 1, right)
    assert played == [1, 2, 3, 4, 5]  # six epochs, the first of them skipped
    assert found.isfinite().tolist() == [True] * 5 + [False] * 35


def test_sets_only_shrink_and_rows_dropped_earlier_have_lower_scores(toy, run_of, monkeypatch):
    sets, play = [], LateStopping._round

    def noting(self, seeds, rows, number, streak):
        sets.append((set(rows[0].tolist()), streak))
        return play(self, seeds, rows, number, streak)

    monkeypatch.setattr(LateStopping, "_round", noting)
    problem = toy(rows=120, epochs=15, noise_rate=0.3)
    solution = LateStopping().solve(problem, run_of(0))
    kept = set(solution.kept.nonzero().flatten().tolist())
    assert [streak for _, streak in sets] == [1, 1, 2, 2, 3, 3]
    chain = [rows for rows, _ in sets] + [kept]
    assert all(later <= earlier for earlier, later in itertools.pairwise(chain))
    assert len(kept) < 120
    scores = solution.clean_score.tolist()
    for earlier, later in itertools.pairwise(chain[1:]):
        gone = earlier - later
        if gone:
            assert max(scores[i] for i in gone) <= min(scores[i] for i in later)


@pytest.mark.parametrize(
    ("learned", "kept"), [(0, 70), (48, 70), (49, 49), (60, 60), (70, 70)], ids=str
)
def test_a_round_drops_the_rows_it_has_not_learned_only_if_it_has_learned_enough(
    toy, run_of, monkeypatch, learned, kept
):
    def played(self, seeds, rows, number, streak):
        first = torch.full((rows.shape[1],), torch.inf)
        first[:learned] = 5.0
        return first

    monkeypatch.setattr(LateStopping, "_round", played)
    method = LateStopping(rounds=(1,), shrink=0.7)  # 49 of 70 rows end the round
    solution = method.solve(toy(epochs=1), run_of(0))
    assert solution.kept.tolist() == [True] * kept + [False] * (70 - kept)
    if 0 < learned < 70:
        assert solution.clean_score[:learned].min() > solution.clean_score[learned:].max()


def test_the_settings_of_the_authors_scripts_end_their_rounds_at_the_authors_thresholds(
    toy, run_of
):
    problem = toy(rows=2000)
    for name, (rounds, shrink) in {
        "cifar10-20": ((4, 4, 4), 0.98),
        "cifar10-40": ((4, 4, 4), 0.955),
        "cifar100-20": ((4, 4, 4), 0.98),
        "cifar100-40": ((22, 5, 0), 0.975),
    }.items():
        method = LateStopping.make(LateStopping.settings[name])
        assert method._streaks() == [
            streak for streak, count in zip((1, 2, 3), rounds, strict=True) for _ in range(count)
        ]
        found = [method._enough(Seeds([problem], [run_of(0)]), r) for r in range(sum(rounds))]
        assert found == [int(2000 * shrink ** (r + 1)) for r in range(sum(rounds))]


def test_a_round_s_net_and_order_are_its_own(toy, run_of):
    seeds = Seeds([toy()], [run_of(0)])
    first, second = seeds.build(first=1), seeds.build(first=2)
    assert not torch.equal(first.weights[0], second.weights[0])
    orders = [
        torch.cat([batch.rows for batch in seeds.part(None, "round", number).epoch(0)], 1)
        for number in range(2)
    ]
    assert not torch.equal(*orders)
