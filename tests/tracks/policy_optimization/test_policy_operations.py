"""The budget of operations: what the trainer charges is what the harness counts."""

import sys
from typing import ClassVar

import msgspec
import pytest
import torch

from bench.counts import Counter
from bench.runs.context import Run
from bench.tracks.policy_optimization import PolicyMethod, UpdatePlan, operations
from bench.tracks.policy_optimization.rollouts import Draw
from bench.tracks.policy_optimization.trainer import Trainer
from bench.training.decoder import Decoder, DecoderShape

SHAPES = [
    DecoderShape(vocabulary=7, context=32, width=16, layers=1, heads=2),
    DecoderShape(vocabulary=21, context=64, width=24, layers=3, heads=4),
]


class Half(PolicyMethod):
    """Keep the first half of the rows."""

    def plan(self, batch, progress, generator):
        rows = torch.arange(len(batch.group) // 2)
        return UpdatePlan(rows=rows, advantages=self.advantages(batch)[rows])


class Multiplies(PolicyMethod):
    """GRPO, with a product on the way that nothing is done with and that it counts."""

    side: int = 64

    def plan(self, batch, progress, generator):
        square = torch.ones(self.side, self.side)
        with Counter() as counter:
            square @ square
        found = super().plan(batch, progress, generator)
        return msgspec.structs.replace(found, flops=counter.tally.total)


class Refills(PolicyMethod):
    """Ask for two more groups, once."""

    max_resample: ClassVar = 1

    def missing(self, batch):
        return 2


class Nothing(PolicyMethod):
    """Keep nothing."""

    def plan(self, batch, progress, generator):
        return UpdatePlan(rows=torch.arange(0), advantages=torch.zeros(0))


@pytest.mark.parametrize("shape", SHAPES, ids=["small", "deep"])
def test_passes_and_generation_take_what_the_harness_counts(shape):
    model = Decoder(shape)
    ids, mask = torch.full((5, 9), 3), torch.ones(5, 9, dtype=torch.bool)
    mask[0, :4] = False
    with Counter() as counter, torch.no_grad():
        model(ids, mask, 2)
    assert counter.tally.total == operations.forward(shape, 5, 9, 2)
    with Counter() as counter:
        model(ids, mask, 2)[:, :-1].sum().backward()
    assert counter.tally.total == operations.update(shape, 5, 9, 2)
    for new in (1, 7, 12):
        luck = torch.rand(15, new, generator=torch.Generator().manual_seed(new))
        whole, _ = model.generate(
            ids, mask, new=new, choose=Draw(luck, 1.0), end=-1, pad=0, repeat=3
        )
        draw, often = Draw(luck, 1.0), int(whole.flatten().mode().values)
        with Counter() as counter:
            model.generate(ids, mask, new=new, choose=draw, end=often, pad=0, repeat=3)
        assert counter.tally.total == operations.generation(shape, 5, 9, draw.going)
    assert len(set(draw.going)) > 1  # rows ended on the way and were left out


@pytest.mark.parametrize("protocol", [{}, {"kl": 0.1}, {"minibatches": 3, "temperature": 0.7}])
@pytest.mark.parametrize(
    "method", [PolicyMethod(), Half(), Multiplies(), Refills(), Nothing()], ids=lambda m: type(m)
)
def test_a_training_is_charged_what_the_harness_counts(toy, run_of, protocol, method):
    with Counter() as counter:
        used = toy(steps=3, **protocol).train(method, run_of()).used
    assert used.flops == counter.tally.total > 0
    assert counter.tally.uncounted == set()


class Elsewhere(PolicyMethod):
    """GRPO whose second plan multiplies outside of torch."""

    def plan(self, batch, progress, generator):
        if progress > 0:
            batch.rewards.numpy() @ batch.rewards.numpy()
        return super().plan(batch, progress, generator)


def test_what_a_plan_computes_outside_of_torch_is_named_after_the_trainer_s_own_steps(toy, run_of):
    with Counter() as counter:
        toy(steps=2).train(Elsewhere(), run_of())
    assert counter.tally.uncounted == {"NumPy"}


def test_a_profile_that_is_no_counter_s_hears_the_trainer_s_own_steps(toy, run_of):
    heard = set()
    sys.setprofile(lambda frame, event, argument: heard.add(frame.f_code.co_name))
    try:
        toy(steps=1).train(PolicyMethod(), run_of())
        assert sys.getprofile() is not None
    finally:
        sys.setprofile(None)
    assert {"generate", "clipped_loss"} <= heard


def test_a_report_says_what_was_spent_until_then(toy, run_of, monkeypatch):
    said = []
    monkeypatch.setattr(
        Run,
        "report",
        lambda run, step, policy: said.append((policy.used.flops, counter.tally.total)),
    )
    with Counter() as counter:
        toy(steps=4).train(Half(), run_of())
    assert len(said) == 5
    assert all(mine == counted for mine, counted in said)
    assert [mine for mine, _ in said] == sorted({mine for mine, _ in said})


def reports(run, problem, method, monkeypatch):
    """Train, and return what was used, and the operations at every report."""
    said = []
    monkeypatch.setattr(Run, "report", lambda run, step, policy: said.append(policy.used.flops))
    return problem.train(method, run).used, said


def test_training_ends_where_the_budget_does_not_hold_the_next_update(toy, run_of, monkeypatch):
    free, said = reports(run_of(), toy(steps=7), PolicyMethod(), monkeypatch)
    # after three whole steps, and what rollouts of the fourth take, but not its update
    budget = (said[3] + said[4]) // 2
    bound, spent = reports(
        run_of(), toy(steps=1, flop_budget=budget, points=2), PolicyMethod(), monkeypatch
    )
    assert (free.optimizer_steps, bound.optimizer_steps) == (14, 6)
    assert bound.rollouts == 4 * 32  # the last ones were generated, charged and not learned from
    assert said[3] < bound.flops < said[4]
    assert spent[0] == 0
    assert spent[-1] == bound.flops


def test_reports_are_spread_over_the_budget_whatever_a_step_costs(toy, run_of, monkeypatch):
    for method in (PolicyMethod(), Half()):
        _, said = reports(run_of(), toy(flop_budget=10**8, points=5), method, monkeypatch)
        assert said[0] == 0
        for mark, spent in enumerate(said[1:6], 1):
            assert mark * 2e7 <= spent or spent == said[-1]
            assert spent < (mark + 1) * 2e7


def test_a_method_that_leaves_rows_out_takes_more_steps_for_the_same_operations(toy, run_of):
    whole, half, more = (
        toy(flop_budget=10**8).train(method, run_of()).used
        for method in (PolicyMethod(), Half(), Multiplies())
    )
    assert half.rollouts > whole.rollouts > more.rollouts
    assert whole.tokens_in_loss > half.tokens_in_loss
    for used in (whole, half):
        assert 0.9e8 < used.flops < 1.1e8


def test_rollouts_alone_spend_the_budget_too(toy, run_of):
    used = toy(flop_budget=10**7).train(Nothing(), run_of()).used
    assert used.optimizer_steps == 0
    assert used.flops >= 10**7


class Asks(PolicyMethod):
    """GRPO that notes how far it is told that training is."""

    def plan(self, batch, progress, generator):
        TOLD.append(progress)
        return super().plan(batch, progress, generator)


TOLD: list[float] = []


def test_progress_is_the_share_of_the_budget_that_is_spent(toy, run_of):
    TOLD.clear()
    toy(flop_budget=10**8).train(Asks(), run_of())
    assert TOLD[0] == 0
    assert TOLD == sorted(set(TOLD))
    assert 0.9 < TOLD[-1] < 1


def test_a_training_on_a_budget_goes_on_from_its_checkpoint_as_if_it_had_not_stopped(
    toy, run_of, monkeypatch
):
    problem = toy(flop_budget=8 * 10**7, points=4)
    whole, honest = problem.train(PolicyMethod(), run_of()), Trainer.step
    assert whole.used.rollouts > 13 * 32

    def dies(self, step):
        if step == 12:
            raise KeyboardInterrupt
        return honest(self, step)

    monkeypatch.setattr(Trainer, "step", dies)
    with pytest.raises(KeyboardInterrupt):
        problem.train(PolicyMethod(), run_of(folder="cut-off"))
    monkeypatch.setattr(Trainer, "step", honest)
    resumed = problem.train(PolicyMethod(), run_of(folder="cut-off"))
    assert resumed.used.flops == whole.used.flops
    assert all(
        torch.equal(mine, other)
        for mine, other in zip(resumed.model.parameters(), whole.model.parameters(), strict=True)
    )
