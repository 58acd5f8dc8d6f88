"""Plans behind TRL's trainer: the same losses and gradients as ours, the
same invariants, the traps of its batch.
"""

import itertools
from typing import ClassVar, Literal

import msgspec
import pytest
import torch
from policy_language import ANSWERS, QUESTIONS, library

from bench.errors import BenchError, DataUnavailable, ParameterError
from bench.tracks.policy_optimization import PolicyMethod, Protocol, UpdatePlan, top_tokens
from bench.tracks.policy_optimization.language import LanguageProblem
from bench.tracks.policy_optimization.language_model import LanguageModel
from bench.tracks.policy_optimization.loss import clipped_loss, divergence
from bench.training.state import watching_seeds

GROUP, PROMPTS, NEW = 4, 3, 6


class Some(PolicyMethod):
    """Keep seven rows and of their tokens some, with weights that differ."""

    clip_high: float = 0.28

    def plan(self, batch, progress, generator):
        rows = torch.tensor([0, 1, 3, 4, 7, 8, 11])
        weight = batch.completion_mask[rows].float()
        keys = torch.rand(weight.shape, generator=torch.Generator().manual_seed(5))
        weight = weight * (keys > 0.4) * (0.5 + keys / 2)
        return UpdatePlan(
            rows=rows, advantages=torch.linspace(-2, 2, len(rows)), token_weight=weight
        )


class SomeSequences(Some):
    """The same with a ratio for each sequence."""

    level: Literal["token", "sequence"] = "sequence"


class Few(PolicyMethod):
    """Half of the tokens by entropy, of the first half of the rows."""

    share: ClassVar = 0.5

    def plan(self, batch, progress, generator):
        rows = torch.arange(len(batch.group) // 2)
        kept = top_tokens(batch.entropy(rows), batch.completion_mask[rows], self.share).float()
        return UpdatePlan(rows=rows, advantages=self.advantages(batch)[rows], token_weight=kept)


class FewWhole(Few):
    """The first half of the rows, and entropies asked for nothing."""

    share: ClassVar = 1.0


def length_is_even(text, answer):
    """A reward that a random model earns about half of the time."""
    return float(len(text) % 2 == 0)


@pytest.fixture
def asked(tiny_model):
    """Return a function that makes the problem; the protocol's values can be given."""

    def make(verify=length_is_even, questions=QUESTIONS, answers=ANSWERS, **given):
        outer = {
            name: given.pop(name) for name in ("lora", "passes", "chat", "engine") if name in given
        }
        protocol = {
            "steps": 2,
            "prompts": PROMPTS,
            "group": GROUP,
            "max_new": NEW,
            "minibatches": 1,
            "lr": 1e-2,
            "report_every": 1,
            **given,
        }
        return LanguageProblem(
            source=str(tiny_model),
            questions=questions,
            answers=answers,
            verify=verify,
            protocol=Protocol(**protocol),
            **outer,
        )

    return make


@pytest.fixture
def trainer_of(asked, run_of):
    """Return a function from a method to a trainer with a batch of rollouts: long and short rows,
    prompts of two lengths, rewards by hand.
    """
    from bench.tracks.policy_optimization import plan_trainer

    def make(method, old=None, **given):
        problem, run = asked(verify=lambda *_: 1.0, **given), run_of()
        with plan_trainer._quiet(), plan_trainer._own_streams(), run.seeded("init"):
            trainer = plan_trainer.PlanTrainer(problem, method, run, problem.policy(run.device))
        trainer.model.train()
        trainer._rewarded = torch.tensor([1.0, 0, 0, 0, 1, 1, 0, 1, 0, 0, 1, 0])
        trainer._round, trainer.current_gradient_accumulation_steps = (
            0,
            trainer.args.gradient_accumulation_steps,
        )
        return trainer, batch_of(trainer, old)

    return make


def batch_of(trainer, old):
    """A batch as TRL makes it, with old log-probabilities that differ from
    the model's by up to ``old``.
    """
    generator = torch.Generator().manual_seed(1)
    vocabulary, rows = trainer.model.config.vocab_size, PROMPTS * GROUP
    lengths = torch.tensor([6, 3, 1, 5, 2, 6, 4, 6, 1, 3, 5, 2])
    mask = (torch.arange(NEW) < lengths[:, None]).long()
    prompt_mask = (
        torch.arange(4) >= torch.tensor([2, 0, 1]).repeat_interleave(GROUP)[:, None]
    ).long()
    found = {
        "prompt_ids": torch.randint(2, vocabulary, (rows, 4), generator=generator) * prompt_mask,
        "prompt_mask": prompt_mask,
        "completion_ids": torch.randint(2, vocabulary, (rows, NEW), generator=generator) * mask,
        "completion_mask": mask,
        "advantages": torch.zeros(rows),
        "num_items_in_batch": mask.sum(),
    }
    if old is not None:
        found["old_per_token_logps"] = (
            log_p_of(trainer.model, found).detach()
            + old * (2 * torch.rand(mask.shape, generator=generator) - 1)
        ) * mask
    return found


def log_p_of(model, found):
    """Log-probabilities of the completions, by the plain forward pass of transformers."""
    ids, seen = (
        torch.cat([found[f"prompt_{name}"], found[f"completion_{name}"]], 1)
        for name in ("ids", "mask")
    )
    logits = model(input_ids=ids, attention_mask=seen).logits[
        :, found["prompt_ids"].shape[1] - 1 : -1
    ]
    return logits.log_softmax(-1).gather(-1, found["completion_ids"][..., None])[..., 0]


def gradient_of(model, loss):
    model.zero_grad(set_to_none=True)
    loss.backward()
    return torch.cat([parameter.grad.flatten() for parameter in model.parameters()])


def agree(model, theirs, ours):
    """Losses and gradients agree to 1e-5, and are not nothing."""
    gradients = [gradient_of(model, loss) for loss in (theirs, ours)]
    assert gradients[1].abs().max() > 1e-3
    torch.testing.assert_close(theirs.detach(), ours.detach(), atol=1e-5, rtol=0)
    torch.testing.assert_close(gradients[0], gradients[1], atol=1e-5, rtol=0)


# The contract: TRL's own loss, untouched, against ours ----------------------------------------


def their_loss(trainer, found, **settings):
    from trl import GRPOTrainer

    for name, value in settings.items():
        setattr(trainer, name, value)
    return GRPOTrainer._compute_loss(trainer, trainer.model, found)


def test_the_losses_of_trl_are_ours_by_their_names_at_both_levels(trainer_of):
    from bench.tracks.policy_optimization.plan_settings import LOSS

    trainer, found = trainer_of(PolicyMethod(), old=0.5, passes=12)
    mask, advantages = (
        found["completion_mask"].bool(),
        torch.linspace(-2, 2, len(found["completion_ids"])),
    )
    for aggregation, level in itertools.product(
        ("token", "completion", "sequence", "constant"), (PolicyMethod, SomeSequences)
    ):
        method = level(aggregation=aggregation, clip_low=0.1, clip_high=0.28)
        theirs = their_loss(
            trainer,
            found | {"advantages": advantages},
            loss_type=LOSS[aggregation],
            importance_sampling_level=method.level,
            epsilon_low=0.1,
            epsilon_high=0.28,
        )
        ours = clipped_loss(
            log_p_of(trainer.model, found),
            found["old_per_token_logps"],
            mask,
            advantages,
            mask.float(),
            method,
            NEW,
        )
        agree(trainer.model, theirs, ours)


def test_the_entropy_mask_of_trl_is_ours_and_its_mean_keeps_all_tokens_below_the_line(trainer_of):
    trainer, found = trainer_of(PolicyMethod(), old=0.5, passes=12)
    mask, advantages = (
        found["completion_mask"].bool(),
        torch.linspace(-2, 2, len(found["completion_ids"])),
    )
    ids, seen = (
        torch.cat([found[f"prompt_{name}"], found[f"completion_{name}"]], 1)
        for name in ("ids", "mask")
    )
    log_p = (
        trainer.model(input_ids=ids, attention_mask=seen).logits[:, 3:-1].log_softmax(-1).detach()
    )
    entropy = -(log_p.exp() * log_p).sum(-1)
    weight = ((entropy >= torch.quantile(entropy[mask], 0.8)) & mask).float()
    for aggregation, loss_type, factor in (
        ("constant", "dr_grpo", 1.0),
        ("completion", "dapo", 1.0),
        ("token", "dapo", float(weight.sum() / mask.sum())),
    ):
        theirs = their_loss(
            trainer,
            found | {"advantages": advantages},
            loss_type=loss_type,
            top_entropy_quantile=0.2,
            epsilon_high=0.2,
        )
        ours = clipped_loss(
            log_p_of(trainer.model, found),
            found["old_per_token_logps"],
            mask,
            advantages,
            weight,
            PolicyMethod(aggregation=aggregation),
            NEW,
        )
        agree(trainer.model, theirs, factor * ours)


# A plan through TRL against the same plan through us ------------------------------------------


@pytest.mark.parametrize("kind", [Some, SomeSequences])
@pytest.mark.parametrize("aggregation", ["token", "completion", "sequence", "constant"])
def test_a_plan_gives_through_trl_the_loss_and_gradient_it_gives_through_us(
    trainer_of, kind, aggregation
):
    from trl.trainer.utils import split_tensor_dict

    method = kind(aggregation=aggregation)
    # four parts of an update: seven rows need one to fill up
    trainer, found = trainer_of(method, old=0.5, passes=3)
    parts = trainer.args.steps_per_generation
    assert parts == 4
    planned = trainer.planned(found)
    assert len(planned["completion_ids"]) == 8
    theirs = sum(
        trainer.compute_loss(trainer.model, part) for part in split_tensor_dict(planned, parts)
    )
    plan = method.plan(batch_seen(found), 0.0, None)
    rows, mask = plan.rows, found["completion_mask"].bool()[plan.rows]
    filled = (plan.token_weight > 0).any(-1)
    log_p, old = log_p_of(trainer.model, found)[rows], found["old_per_token_logps"][rows]
    parts_of = (log_p, old, mask, plan.advantages, plan.token_weight)
    ours = clipped_loss(
        *(part[filled] for part in parts_of), method, NEW, float(mask[~filled].sum())
    )
    agree(trainer.model, theirs, ours)


def batch_seen(found):
    class Seen:
        completion_mask = found["completion_mask"].bool()

    return Seen


def test_the_divergence_is_taken_over_the_kept_tokens_alone(trainer_of):
    method = Some()
    trainer, found = trainer_of(method, old=0.0, passes=12, kl=0.7)
    reference = (log_p_of(trainer.model, found).detach() - 0.3) * found["completion_mask"]
    planned = trainer.planned(found | {"ref_per_token_logps": reference})
    plan = method.plan(batch_seen(found), 0.0, None)
    kept = plan.token_weight > 0
    log_p = log_p_of(trainer.model, found)[plan.rows]
    away = torch.where(kept, divergence(log_p, reference[plan.rows]), 0.0)
    ours = clipped_loss(
        log_p,
        log_p.detach(),
        found["completion_mask"].bool()[plan.rows],
        plan.advantages,
        plan.token_weight,
        method,
        NEW,
    )
    agree(
        trainer.model,
        trainer.compute_loss(trainer.model, planned),
        ours + 0.7 * away.sum() / plan.token_weight.sum(),
    )


def test_only_the_rows_of_the_plan_are_passed_forward_and_no_column_beyond_them(
    trainer_of, monkeypatch
):
    trainer, found = trainer_of(FewWhole(), minibatches=2, passes=6)
    found["completion_mask"][:6, 5:] = 0
    passed, honest = [], type(trainer)._get_per_token_logps_and_entropies

    def noting(self, model, ids, *rest, **options):
        passed.append(tuple(ids.shape))
        return honest(self, model, ids, *rest, **options)

    monkeypatch.setattr(type(trainer), "_get_per_token_logps_and_entropies", noting)
    planned = trainer.planned(found)
    assert passed == [(6, 4 + NEW)]  # entropies and old log-probabilities share a pass
    assert tuple(planned["completion_ids"].shape) == (6, 5)
    assert (
        tuple(planned["old_per_token_logps"].shape) == tuple(planned["advantages"].shape) == (6, 5)
    )
    assert trainer.used.tokens_forwarded == int(found["completion_mask"][:6].sum())


# Whole trainings ------------------------------------------------------------------------------


def parameters(model):
    return torch.cat([parameter.detach().flatten() for parameter in model.net.parameters()])


def trained(problem, method, run):
    with watching_seeds() as reseeded:
        solution = problem.train(method, run)
    assert not reseeded
    return solution


def test_a_training_moves_the_model_counts_what_it_used_and_repeats_bit_for_bit(asked, run_of):
    problem = asked(minibatches=2, passes=3)
    start = problem.policy(torch.device("cpu"))
    run = run_of()
    first, second = (trained(problem, Few(), one) for one in (run, run_of()))
    assert torch.equal(parameters(first.model), parameters(second.model))
    assert not torch.equal(parameters(first.model), parameters(start))
    used = first.used
    assert (used.rollouts, used.optimizer_steps, used.skipped_steps) == (2 * 12, 4, 0)
    assert 0 < used.tokens_in_loss < used.tokens_forwarded < used.tokens_generated
    assert min(used.gen_s, used.select_s, used.update_s) > 0
    assert [entry["step"] for entry in run._curve] == [0, 1, 2]
    assert [one.step for one in first.shown] == [1, 2]
    assert msgspec.to_builtins(used)["tokens_in_loss"] == second.used.tokens_in_loss


def test_where_all_rewards_are_equal_the_model_is_left_as_it_was(asked, run_of):
    problem = asked(verify=lambda text, answer: 0.0, weight_decay=0.1)
    solution = trained(problem, PolicyMethod(), run_of())
    assert torch.equal(parameters(solution.model), parameters(problem.policy(torch.device("cpu"))))
    assert (solution.used.optimizer_steps, solution.used.skipped_steps, solution.used.rollouts) == (
        0,
        2,
        24,
    )


def test_methods_of_a_seed_get_the_same_prompts_and_the_same_first_rollouts(asked, run_of):
    shown = [
        trained(asked(steps=1), method, run_of(0, name)).shown[0]
        for method, name in ((PolicyMethod(), "a"), (Few(), "b"))
    ]
    assert torch.equal(shown[0].prompt_ids, shown[1].prompt_ids)
    assert torch.equal(shown[0].completion_ids, shown[1].completion_ids)


def test_a_budget_of_operations_is_refused_where_they_are_not_counted(asked, run_of):
    with pytest.raises(ParameterError, match="flop_budget is 1000, and TRL's operations"):
        trained(asked(flop_budget=1000), PolicyMethod(), run_of())


def test_adapters_are_trained_and_the_model_below_them_is_not(asked, run_of):
    library("peft")
    problem = asked(lora=2)
    solution = trained(problem, PolicyMethod(), run_of())
    state, start = (
        solution.model.net.state_dict(),
        problem.policy(torch.device("cpu")).net.state_dict(),
    )
    adapters = [value for name, value in state.items() if "lora_B" in name]
    assert adapters
    assert any(value.any() for value in adapters)
    base = {
        name.replace("base_model.model.", "").replace("base_layer.", ""): value
        for name, value in state.items()
        if "lora" not in name
    }
    assert all(torch.equal(base[name], value) for name, value in start.items())


def test_answers_are_the_same_alone_and_beside_a_longer_question(tiny_model):
    model = LanguageModel.load(str(tiny_model), torch.device("cpu"))
    alone = model.answers(["1 + 2 ="], new=5)
    beside = model.answers(["1 + 2 =", "1 + 2 = 3 5 + 5 = 10 2 + 4 ="], new=5)
    assert alone[0] == beside[0]
    drawn = model.answers(["1 + 2 =", "3 + 3 ="], new=4, samples=3)
    assert [len(texts) for texts in drawn] == [3, 3]
    assert not model.net.training


# What it refuses ------------------------------------------------------------------------------


class Refilling(PolicyMethod):
    """Wants more prompts."""

    refill: bool = True


@pytest.mark.parametrize(
    ("given", "method", "said"),
    [
        ({"prompts": 40}, PolicyMethod(), "40 prompts"),
        ({"minibatches": 5}, PolicyMethod(), "5 minibatches"),
        ({}, Refilling(), "refill"),
        ({"engine": "vllm"}, PolicyMethod(), "vllm"),
    ],
)
def test_what_does_not_fit_is_said_in_a_sentence(asked, run_of, monkeypatch, given, method, said):
    import importlib.util

    honest = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *rest: None if name == "vllm" else honest(name, *rest),
    )
    with pytest.raises(BenchError, match=said):
        asked(**given).train(method, run_of())


def test_a_model_that_is_not_there_is_said_to_be_missing(tmp_path):
    library("transformers")
    with pytest.raises(DataUnavailable, match="could not be read"):
        LanguageModel.load(str(tmp_path / "nowhere"), torch.device("cpu"))
