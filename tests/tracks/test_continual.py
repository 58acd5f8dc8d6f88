"""The stream is read once, and the store is the only memory: cheats are refused."""

from typing import ClassVar

import msgspec
import pytest
import torch
from continual_small import answers, blobs, stream_run
from scipy import stats

from bench import MethodCard
from bench.checks import check_problem, check_solution
from bench.errors import InvalidRun
from bench.runs import guard
from bench.tracks.continual import ContinualMethod, Members, Problem, Solution, Stream
from bench.training.memory import Memory, Store
from bench.training.stream import together


def named(name):
    return MethodCard(name=name, title=name, track="continual", stacked=True)


class Hoarder(ContinualMethod, frozen=True, kw_only=True):
    """Keeps every batch it was handed, and learns all of them at each step."""

    card: ClassVar = named("hoarder")

    def start(self, members):
        return []

    def inputs(self, state, batch):
        state.append((batch.x, batch.y))
        return torch.cat([x for x, _ in state], 1)

    def loss(self, state, batch, logits):
        labels = torch.cat([y for _, y in state], 1)
        return torch.nn.functional.cross_entropy(
            logits.flatten(0, 1), labels.flatten(), reduction="none"
        ).view(labels.shape)


class Copier(Hoarder, frozen=True, kw_only=True):
    """Keeps copies, which nobody overwrites."""

    card: ClassVar = named("copier")

    def inputs(self, state, batch):
        state.append((batch.x.clone(), batch.y.clone()))
        return torch.cat([x for x, _ in state], 1)


class Deep(ContinualMethod, frozen=True, kw_only=True):
    """Hides copies in an object within a table."""

    card: ClassVar = named("deep")

    def start(self, members):
        class Box:
            pass

        box = Box()
        box.rows = {"mine": []}
        return box

    def after_step(self, state, members, batch, logits):
        state.rows["mine"].append({"x": batch.x[:, :1].clone()})


class KeepsTheEnd(ContinualMethod, frozen=True, kw_only=True):
    """Keeps the rows that it is shown at the end of a task."""

    card: ClassVar = named("keeps-the-end")
    begun: ClassVar[list[int]] = []

    def start(self, members):
        return []

    def end(self, state, members, t, rows):
        state.append(rows[0])

    def begin(self, state, members, t):
        self.begun.append(t)
        assert len(state) == t
        assert all(bool(rows.isnan().all()) for rows in state)


class Rereader(ContinualMethod, frozen=True, kw_only=True):
    """Reads the stream, then once more."""

    card: ClassVar = named("rereader")

    def fit(self, members):
        state = super().fit(members)
        for _ in members.chunks():
            pass
        return state


class Overfiller(ContinualMethod, frozen=True, kw_only=True):
    """Writes behind the last place of its store."""

    card: ClassVar = named("overfiller")

    def start(self, members):
        return members.memory()

    def after_step(self, state, members, batch, logits):
        size = batch.y.shape[1]
        places = torch.arange(state.seen, state.seen + size).expand(len(batch.y), -1)
        state.seen += size
        state.write(places, batch.x, batch.y)


class TwoStores(ContinualMethod, frozen=True, kw_only=True):
    """Opens its store twice."""

    card: ClassVar = named("two-stores")

    def start(self, members):
        first = Memory(
            [p.memory for p in members.problems],
            members.problem.stream.shape,
            0,
            [torch.Generator() for _ in members.runs],
            members.device,
        )
        return first, members.memory()


def test_a_method_that_keeps_its_batches_learns_from_nan_and_has_no_answer(tmp_path):
    problem, scope = check_problem(blobs(), (Problem,))
    solution = Hoarder().solve(problem, stream_run(tmp_path))
    checked = check_solution(solution, problem, scope, (Solution,))
    with pytest.raises(InvalidRun, match="finite"):
        checked.model(torch.zeros(3, 6))


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (Copier, "holds rows of the stream beyond their step; the store is the only memory"),
        (Deep, r"state.rows\['mine'\]\[3\]\['x'\] holds rows of the stream"),
        (Rereader, "the stream was read a second time"),
        (Overfiller, "put into place 9 of a store of 6; the places are 0 to 5"),
        (TwoStores, "the store was opened a second time, and its 6 places are all"),
    ],
)
def test_a_method_that_keeps_copies_rereads_or_overfills_the_store_is_refused(kind, said, tmp_path):
    with pytest.raises(InvalidRun, match=said):
        kind().solve(blobs(), stream_run(tmp_path))


def test_the_rows_of_an_ended_task_are_overwritten_too(tmp_path):
    KeepsTheEnd.begun.clear()
    KeepsTheEnd().solve(blobs(), stream_run(tmp_path))
    assert KeepsTheEnd.begun == [0, 1]


def test_a_chunk_is_overwritten_when_the_next_is_asked_for_and_the_problem_is_left_as_it_was():
    problem = blobs(passes=2)
    before = guard.fingerprints(problem)
    seen, kept = [], []
    for chunk in problem.stream:
        assert chunk.x.isfinite().all()
        kept.append(chunk)
        seen.append(chunk.x.clone())
    assert all(bool(chunk.x.isnan().all()) and not chunk.y.any() for chunk in kept)
    assert [(c.t, c.step, c.start, c.last) for c in kept[:8]] == [
        (0, step, step in (0, 4), step == 7) for step in range(8)
    ]
    first, again = torch.cat(seen[:4]), torch.cat(seen[4:8])
    assert torch.equal(first.sort(0).values, again.sort(0).values)
    assert not torch.equal(first, again)
    guard.check_unchanged(before, problem, "problem")
    other = blobs(seed=1, passes=2)
    assert guard.fingerprints(other)["stream"] != before["stream"]


def test_a_stream_shows_a_task_once_more_at_its_end_alone():
    stream = blobs().stream
    with pytest.raises(InvalidRun, match="asked for between its ends"):
        stream.ended()
    rows = []
    for chunk in stream:
        rows.append(chunk.x.clone())
        if chunk.t == 0 and chunk.last:
            x, y = stream.ended()
            assert torch.equal(x.sort(0).values, torch.cat(rows).sort(0).values)
            assert y.unique().tolist() == [0, 1]
    with pytest.raises(InvalidRun):
        stream.ended()


def test_streams_of_two_lengths_are_not_read_side_by_side():
    with pytest.raises(InvalidRun, match="different lengths"):
        next(iter(together([blobs().stream, blobs(rows=10).stream])))


def test_a_store_keeps_every_row_with_the_same_probability():
    members, offered, capacity = 400, 40, 10
    stores = [Store(capacity) for _ in range(members)]
    draws = [torch.Generator().manual_seed(seed) for seed in range(members)]
    memory = Memory(stores, (1,), 0, draws, torch.device("cpu"))
    for start in range(0, offered, 5):
        x = torch.arange(start, start + 5.0).view(1, 5, 1).expand(members, -1, -1)
        memory.reservoir(x, x[..., 0].long())
        assert memory.kept == min(capacity, start + 5)
    assert {store.peak for store in stores} == {capacity}
    assert all(len(set(own.tolist())) == capacity for own in memory.y)
    counts = torch.bincount(memory.y.flatten(), minlength=offered)
    # rows of one store exclude each other: counts vary by 1 - M / n of a binomial's at n fixed
    statistic = ((counts - members * capacity / offered) ** 2).sum() / (
        members * capacity / offered * (1 - capacity / offered)
    )
    assert stats.chi2.sf(float(statistic) * (offered - 1) / offered, offered - 1) > 1e-3
    drawn = memory.draw(4)
    assert drawn.x.shape == (members, 4, 1)
    assert torch.equal(drawn.x[..., 0].long(), drawn.y)
    assert all(len(set(own.tolist())) == 4 for own in drawn.y)
    assert memory.draw(99).y.shape == (members, capacity)


def test_a_seed_gets_the_same_bits_whoever_stands_beside_it(tmp_path):
    method = ContinualMethod
    three = method().solve_stacked(
        [blobs(seed) for seed in range(3)], [stream_run(tmp_path, seed) for seed in range(3)]
    )
    two = method().solve_stacked(
        [blobs(seed) for seed in (1, 2)], [stream_run(tmp_path, seed) for seed in (1, 2)]
    )
    assert torch.equal(answers(three[1]), answers(two[0]))


def test_a_method_that_did_not_ask_for_a_store_or_for_tasks_of_classes_has_none(tmp_path):
    problem = msgspec.structs.replace(blobs(), memory=None, task_id=None)
    members = Members([problem], [stream_run(tmp_path)])
    with pytest.raises(InvalidRun, match="name memory in the card's needs"):
        members.memory()
    with pytest.raises(InvalidRun, match="name task-id in the card's needs"):
        _ = members.task_id


def test_constant_rows_count_for_no_stream():
    stream = Stream(
        [torch.cat([torch.zeros(2, 3), torch.eye(3)])],
        [torch.zeros(5, dtype=torch.int64)],
        [torch.arange(5)[None]],
        5,
    )
    assert not stream.holds(torch.zeros(4, 3))
    assert stream.holds(torch.tensor([[9.0, 1.0, 2.0], [0.0, 1.0, 0.0]]))
    assert not stream.holds(torch.full((2, 3), torch.nan))
