"""The trainer: what an update sees, what it leaves alone, what it counts."""

from typing import ClassVar, Literal

import msgspec
import pytest
import torch

from bench.errors import InvalidRun
from bench.tracks.policy_optimization import Counters, PolicyMethod, Solution, UpdatePlan
from bench.tracks.policy_optimization.loss import aggregate, clipped_loss, divergence, ratio_of
from bench.tracks.policy_optimization.plan import select
from bench.tracks.policy_optimization.trainer import Trainer

LONG = {"steps": 40, "group": 16, "symbols": 6, "prompts": 6}


class Half(PolicyMethod):
    """Keep the first half of the rows, and of those every token but the first."""

    def plan(self, batch, progress, generator):
        rows = torch.arange(len(batch.group) // 2)
        weight = batch.completion_mask[rows].float()
        weight[:, 0] = 0
        return UpdatePlan(rows=rows, advantages=self.advantages(batch)[rows], token_weight=weight)


class Nothing(PolicyMethod):
    """Keep nothing."""

    def plan(self, batch, progress, generator):
        return UpdatePlan(rows=torch.arange(0), advantages=torch.zeros(0))


class Sequences(PolicyMethod):
    """A ratio for each sequence."""

    level: Literal["token", "sequence"] = "sequence"


def parameters(model):
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


def test_training_raises_the_share_of_right_answers(toy, run_of):
    problem = toy(**LONG)
    trained = msgspec.structs.replace(
        problem, warm=problem.train(PolicyMethod(), run_of()).model.state_dict()
    )
    before, after = (
        float(Trainer(made, PolicyMethod(), run_of(9))._rollouts(0)[0].rewards.mean())
        for made in (problem, trained)
    )
    assert before < 0.3
    assert after > 0.7


def test_the_same_seed_gives_the_same_parameters_bit_for_bit_and_another_does_not(toy, run_of):
    first, second, other = (toy().train(PolicyMethod(), run_of(seed)).model for seed in (0, 0, 1))
    assert torch.equal(parameters(first), parameters(second))
    assert not torch.equal(parameters(first), parameters(other))


@pytest.mark.parametrize("reward", [0.0, 1.0])
def test_rewards_that_are_all_equal_leave_the_parameters_as_they_were(toy, run_of, reward):
    problem = toy(
        verify=lambda ids, mask, answers: torch.full((len(ids),), reward), weight_decay=0.1
    )
    solution = problem.train(PolicyMethod(), run_of())
    assert torch.equal(parameters(solution.model), parameters(problem.policy(torch.device("cpu"))))
    assert (solution.used.optimizer_steps, solution.used.skipped_steps) == (0, 6)
    assert solution.used.rollouts == 6 * 32


def test_an_empty_plan_skips_the_step_and_its_rollouts_count(toy, run_of):
    used = toy().train(Nothing(), run_of()).used
    assert (used.skipped_steps, used.optimizer_steps, used.tokens_forwarded, used.rollouts) == (
        6,
        0,
        0,
        192,
    )


def test_shuffled_rewards_do_not_teach(toy, run_of):
    def shuffled(ids, mask, answers):
        right = (ids[:, 0] == answers).float()
        return right[
            torch.randperm(len(right), generator=torch.Generator().manual_seed(len(right)))
        ]

    problem = toy(**LONG, verify=shuffled)
    honest = toy(**LONG)
    rates = {}
    for name, made in (("shuffled", problem), ("honest", honest)):
        model = made.train(PolicyMethod(), run_of()).model
        trainer = Trainer(
            msgspec.structs.replace(honest, warm=model.state_dict()), PolicyMethod(), run_of(9)
        )
        rates[name] = float(trainer._rollouts(0)[0].rewards.mean())
    assert rates["honest"] > 0.6
    assert rates["shuffled"] < 0.4


def test_counters_are_what_the_loss_saw(toy, run_of, monkeypatch):
    seen = {"rows": 0, "tokens": 0, "loss": 0}
    honest = Trainer.loss

    def loss(self, kept):
        seen["rows"] += len(kept.ids)
        seen["tokens"] += int(kept.mask.sum())
        seen["loss"] += int((kept.weight > 0).sum())
        return honest(self, kept)

    monkeypatch.setattr(Trainer, "loss", loss)
    run = run_of()
    used = toy().train(Half(), run).used
    assert (used.tokens_forwarded, used.tokens_in_loss) == (seen["tokens"], seen["loss"])
    assert used.rows_selected >= seen["rows"]  # a batch without signal is selected and skipped
    assert run._counts == {"forward": 192 + seen["rows"], "backward": seen["rows"]}


def kept_of(trainer, method):
    batch, scores = trainer._rollouts(0)
    chosen = select(batch, method.plan(batch, 0.0, torch.Generator()))
    return batch, trainer._kept(batch, chosen, scores)


def test_the_gradient_is_zero_at_tokens_of_no_weight_and_elsewhere_not(toy, run_of):
    trainer = Trainer(toy(), Half(), run_of())
    _, kept = kept_of(trainer, Half())
    log_p = kept.old.clone().requires_grad_()
    clipped_loss(log_p, kept.old, kept.mask, kept.advantages, kept.weight, Half(), 3).backward()
    assert not log_p.grad[kept.weight == 0].any()
    signal = (kept.weight > 0) & (kept.advantages != 0)
    assert (log_p.grad[signal] != 0).all()


def test_masked_tokens_are_context_all_the_same(toy, run_of):
    trainer = Trainer(toy(), Half(), run_of())
    _, kept = kept_of(trainer, Half())
    changed = msgspec.structs.replace(kept, ids=kept.ids.clone())
    first = kept.ids.shape[1] - kept.completion.shape[1]
    changed.ids[:, first] = 3 + (kept.ids[:, first] - 2) % 4
    assert not torch.equal(trainer.loss(kept), trainer.loss(changed))


@pytest.mark.parametrize("how", ["token", "completion", "sequence", "constant"])
def test_the_loss_is_its_formula_token_by_token(how):
    generator = torch.Generator().manual_seed(0)
    log_p, old = (-torch.rand(5, 4, generator=generator, dtype=torch.float64) for _ in range(2))
    mask = torch.arange(4) < torch.tensor([4, 2, 3, 1, 4])[:, None]
    weight = mask.double() * torch.randint(0, 2, (5, 4), generator=generator)
    advantages = torch.randn(5, generator=generator, dtype=torch.float64)
    method = PolicyMethod(aggregation=how, clip_high=0.28)
    total, rows = 0.0, []
    for i in range(5):
        terms = []
        for t in range(4):
            if weight[i, t] > 0:
                ratio, a = float((log_p[i, t] - old[i, t]).exp()), float(advantages[i])
                terms.append(-min(ratio * a, min(max(ratio, 0.8), 1.28) * a))
        rows.append(sum(terms) / len(terms) if terms else 0.0)
        total += sum(terms)
    expected = {
        "token": total / float(weight.sum()),
        "completion": total / float(mask.sum()),
        "sequence": sum(rows) / 5,
        "constant": total / (5 * 9),
    }[how]
    assert float(clipped_loss(log_p, old, mask, advantages, weight, method, 9)) == pytest.approx(
        expected, abs=1e-12
    )


def test_the_ratio_of_a_sequence_is_the_mean_of_its_tokens_and_does_not_grow_with_length():
    change = torch.tensor([[0.3, -0.1, 0.0, 0.0], [0.3, -0.1, 0.3, -0.1]])
    mask = torch.tensor([[True, True, False, False], [True] * 4])
    ratio = ratio_of(change, torch.zeros(2, 4), mask, "sequence")
    torch.testing.assert_close(ratio, torch.full((2, 4), 0.1).exp())


def test_where_the_policy_is_the_old_one_sequence_ratios_give_the_gradient_of_token_ratios():
    generator = torch.Generator().manual_seed(0)
    old = -torch.rand(6, 5, generator=generator, dtype=torch.float64)
    mask = torch.arange(5) < torch.tensor([5, 3, 1, 4, 2, 5])[:, None]
    advantages = torch.randn(6, generator=generator, dtype=torch.float64)
    gradients = []
    for kind in (PolicyMethod, Sequences):
        log_p = old.clone().requires_grad_()
        clipped_loss(
            log_p, old, mask, advantages, mask.double(), kind(aggregation="sequence"), 5
        ).backward()
        gradients.append(log_p.grad)
    torch.testing.assert_close(gradients[0], gradients[1], atol=1e-12, rtol=0)


def test_the_divergence_is_never_negative_and_zero_at_the_reference():
    log_p = torch.linspace(-3, 0, 20)
    assert (divergence(log_p, log_p.flip(0)) >= 0).all()
    assert not divergence(log_p, log_p).any()


def test_a_pull_towards_the_warm_start_keeps_the_policy_nearer_to_it(toy, run_of):
    start = parameters(toy().policy(torch.device("cpu")))
    moved = [
        float(
            (parameters(toy(steps=12, kl=kl).train(PolicyMethod(), run_of()).model) - start).norm()
        )
        for kl in (0.0, 5.0)
    ]
    assert moved[1] < moved[0]


def test_a_training_goes_on_from_its_checkpoint_as_if_it_had_not_stopped(toy, run_of, monkeypatch):
    whole = toy(steps=14).train(PolicyMethod(), run_of())
    honest = Trainer.step

    def dies(self, step):
        if step == 12:
            raise KeyboardInterrupt
        honest(self, step)

    monkeypatch.setattr(Trainer, "step", dies)
    with pytest.raises(KeyboardInterrupt):
        toy(steps=14).train(PolicyMethod(), run_of(folder="cut-off"))
    monkeypatch.setattr(Trainer, "step", honest)
    resumed = toy(steps=14).train(PolicyMethod(), run_of(folder="cut-off"))
    assert torch.equal(parameters(resumed.model), parameters(whole.model))
    assert resumed.used.tokens_in_loss == whole.used.tokens_in_loss


def test_log_probabilities_and_entropies_are_those_of_a_forward_pass_and_cost_none(
    toy, run_of, monkeypatch
):
    trainer = Trainer(toy(symbols=6, prompts=6, max_new=8), PolicyMethod(), run_of())
    honest = type(trainer.model).forward
    monkeypatch.setattr(
        type(trainer.model), "forward", lambda *_: pytest.fail("something was passed forward")
    )
    batch, old = trainer._rollouts(0)
    rows = torch.tensor([1, 5, 9, 40])
    entropy = batch.entropy(rows)
    ids, mask = (
        torch.cat(pair, 1)[rows]
        for pair in (
            (batch.prompt_ids, batch.completion_ids),
            (batch.prompt_mask, batch.completion_mask),
        )
    )
    log_p = honest(trainer.model, ids, mask)[:, 2:-1].log_softmax(-1)
    kept = batch.completion_mask[rows]
    # some rows were left out on the way
    assert len(set(batch.completion_mask.sum(-1).tolist())) > 3
    torch.testing.assert_close(
        entropy[kept], -(log_p.exp() * log_p).sum(-1)[kept], atol=1e-5, rtol=0
    )
    torch.testing.assert_close(
        old[rows][kept],
        log_p.gather(-1, batch.completion_ids[rows][..., None])[..., 0][kept],
        atol=1e-5,
        rtol=0,
    )


def test_rollouts_of_the_first_step_are_the_same_for_every_method_of_a_seed(toy, run_of):
    first, second = (
        Trainer(toy(), method, run_of(0, name))._rollouts(0)[0]
        for method, name in ((PolicyMethod(), "a"), (Half(), "b"))
    )
    assert torch.equal(first.completion_ids, second.completion_ids)


def test_aggregating_nothing_is_zero():
    nothing = torch.zeros(2, 3)
    for how in ("token", "completion", "sequence", "constant"):
        assert float(aggregate(nothing, nothing, nothing.bool(), how, 3)) == 0


class Given(PolicyMethod):
    """Keep every row of a batch that was made by hand."""


def kept_by_hand(toy, run_of, mask, rewards):
    """What the trainer keeps of four rows with these masks."""
    trainer = Trainer(toy(prompts=1, group=4), Given(), run_of())
    batch, scores = trainer._rollouts(0)
    batch = msgspec.structs.replace(
        batch, completion_mask=torch.tensor(mask), rewards=torch.tensor(rewards)
    )
    chosen = select(batch, Given().plan(batch, 0.0, torch.Generator()))
    return trainer, trainer._kept(batch, chosen, scores)


def test_a_completion_of_one_end_token_counts_and_one_of_no_token_is_dropped(toy, run_of):
    trainer, kept = kept_by_hand(
        toy,
        run_of,
        [[True, False, False], [False] * 3, [True] * 3, [False] * 3],
        [0.0, 1.0, 1.0, 0.0],
    )
    assert kept.mask.sum(-1).tolist() == [1, 3]
    assert trainer.used.rows_selected == 2
    assert trainer.used.tokens_in_loss == 4
    assert torch.isfinite(trainer.loss(kept))


def test_rows_that_are_not_selected_have_no_part_in_the_gradient(toy, run_of):
    trainer = Trainer(toy(), Half(), run_of())
    batch, scores = trainer._rollouts(0)
    plan = Half().plan(batch, 0.0, torch.Generator())
    gradients = []
    for changed in (
        batch.completion_ids,
        torch.cat(
            [
                batch.completion_ids[: len(plan.rows)],
                3 + (batch.completion_ids[len(plan.rows) :] - 2).abs() % 4,
            ]
        ),
    ):
        other = msgspec.structs.replace(batch, completion_ids=changed)
        kept = trainer._kept(other, select(other, plan), scores)
        trainer.optimiser.zero_grad(set_to_none=True)
        trainer.loss(kept).backward()
        gradients.append(
            torch.cat([parameter.grad.flatten() for parameter in trainer.model.parameters()])
        )
    assert torch.equal(*gradients)
    assert gradients[0].any()


def test_what_is_shown_of_a_plan_is_advantage_times_weight_of_the_group_it_keeps_most_of(
    toy, run_of
):
    solution = toy(steps=3).train(Half(), run_of())
    assert [one.step for one in solution.shown] == [1, 3]
    first = solution.shown[0]
    assert first.pull.shape == first.completion_ids.shape == (8, 3)
    assert not first.pull[:, 0].any()
    assert not first.pull[~first.completion_mask].any()


class Odd(PolicyMethod):
    """A plan that does something with its batch, or returns something, that is set from outside."""

    act: ClassVar = None

    def plan(self, batch, progress, generator):
        return type(self).act(batch)


def whole(batch, **changes):
    size = len(batch.group)
    return UpdatePlan(
        **{
            "rows": torch.arange(size),
            "advantages": batch.rewards - batch.rewards.mean(),
            **changes,
        }
    )


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (
            lambda batch: (batch.completion_mask.logical_not_(), whole(batch))[1],
            "changed batch.completion_mask in place",
        ),
        (
            lambda batch: (batch.rewards.sub_(batch.rewards.mean()), whole(batch))[1],
            "changed batch.rewards in place",
        ),
        (
            lambda batch: (batch.by_group(batch.rewards).zero_(), whole(batch))[1],
            "changed batch.rewards in place",
        ),
        (
            lambda batch: whole(batch, advantages=batch.rewards.to("meta")),
            "has as advantages a tensor on the device meta",
        ),
        (
            lambda batch: whole(batch, rows=torch.arange(len(batch.group)).to_sparse()),
            "has as rows a sparse tensor",
        ),
    ],
)
def test_a_plan_that_changes_its_batch_or_holds_no_numbers_is_refused(
    toy, run_of, monkeypatch, act, words
):
    monkeypatch.setattr(Odd, "act", staticmethod(act))
    with pytest.raises(InvalidRun, match=f"the method's plan {words}"):
        toy().train(Odd(), run_of())


@pytest.mark.parametrize(
    "grown",
    [
        lambda rewards: rewards.clone().requires_grad_(),
        lambda rewards: torch.nn.Parameter(rewards) * 2,
    ],
)
def test_advantages_that_ask_for_a_gradient_train_as_plain_ones_do(toy, run_of, monkeypatch, grown):
    found = []
    for change in (grown, lambda rewards: grown(rewards).detach()):
        monkeypatch.setattr(
            Odd,
            "act",
            staticmethod(
                lambda batch, change=change: whole(
                    batch, advantages=change(batch.rewards - batch.rewards.mean())
                )
            ),
        )
        found.append(toy(minibatches=2).train(Odd(), run_of()).model.state_dict())
    assert all(torch.equal(found[0][name], found[1][name]) for name in found[0])


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float8_e5m2])
def test_advantages_and_weights_of_any_width_train_as_float32(toy, run_of, monkeypatch, dtype):
    found = []
    for change in (lambda values: values.to(dtype), lambda values: values.to(dtype).float()):
        monkeypatch.setattr(
            Odd,
            "act",
            staticmethod(
                lambda batch, change=change: whole(
                    batch,
                    advantages=change(batch.rewards - 0.5),
                    token_weight=change(batch.completion_mask.float()),
                )
            ),
        )
        found.append(toy().train(Odd(), run_of()).model.state_dict())
    assert all(torch.equal(found[0][name], found[1][name]) for name in found[0])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"used": Counters(rollouts=-5)}, "used.rollouts is -5"),
        ({"used": Counters(gen_s=float("nan"))}, "used.gen_s is nan"),
        ({"used": Counters(tokens_in_loss="many")}, "used.tokens_in_loss is 'many'"),
        ({"shown": (1, 2)}, "shown is"),
        ({"shown": None}, "shown is None"),
    ],
)
def test_a_solution_whose_counts_or_rollouts_are_none_is_refused(toy, change, words):
    problem = toy()
    solution = Solution(
        **{"model": problem.policy(torch.device("cpu")), "used": Counters(), **change}
    )
    with pytest.raises(InvalidRun, match=words):
        solution.validate(problem)
