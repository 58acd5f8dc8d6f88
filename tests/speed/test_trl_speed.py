"""Our trainer and TRL's side by side on the same work: one tiny Qwen2, the same prompts, groups,
lengths and optimiser steps, steps taking turns in one process.

``python tests/speed/test_trl_speed.py`` prints the times.
"""

from __future__ import annotations

import copy
import statistics
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from bench.runs.context import Run
from bench.tracks.policy_optimization import PolicyMethod, PolicyProblem, Protocol
from bench.tracks.policy_optimization.trainer import Trainer
from bench.training.decoder import DecoderShape
from bench.training.hub import table

PROMPTS, GROUP, NEW, MINIBATCHES, STEPS = 8, 16, 28, 2, 8
CHARACTERS = "0123456789+-*()=;#"
PAD, END, NEVER = 0, 1, -1


class Same(nn.Module):
    """TRL's model behind the interface of our trainer's decoder."""

    def __init__(self, net: Any) -> None:
        super().__init__()
        self.net = net

    def forward(self, ids, mask, first=0):
        return self.net(
            input_ids=ids, **seen(mask), use_cache=False, logits_to_keep=ids.shape[1] - first
        ).logits

    @torch.no_grad()
    def generate(self, ids, mask, *, new, choose, end, pad, repeat=1):
        from transformers import DynamicCache

        assert mask.all()  # the prompts here have one length
        cache = DynamicCache(config=self.net.config)
        logits = (
            self.net(input_ids=ids, cache=cache, logits_to_keep=1)
            .logits[:, -1]
            .repeat_interleave(repeat, 0)
        )
        cache.batch_repeat_interleave(repeat)
        rows, out = torch.arange(len(logits)), torch.empty(len(logits), new, dtype=ids.dtype)
        for column in range(new):
            out[:, column] = choose(logits, column, rows)
            if column + 1 < new:
                logits = self.net(input_ids=out[:, column, None], cache=cache).logits[:, -1]
        return out, torch.ones(len(logits), new, dtype=torch.bool)


def seen(mask):
    """Return what the model must know of padding; nothing where there is none."""
    return (
        {}
        if mask.all()
        else {"attention_mask": mask.long(), "position_ids": (mask.cumsum(1) - 1).clamp_min(0)}
    )


class SameProblem(PolicyProblem, frozen=True, kw_only=True):
    """The problem with TRL's model."""

    net: Any

    def policy(self, device):
        return Same(copy.deepcopy(self.net)).to(device)


def model_and_tokenizer() -> tuple[Any, Any]:
    """Return a Qwen2 of about the size of the decoder of clock-arithmetic,
    and its tokenizer, a character a token.
    """
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

    words = {"<pad>": PAD, "<end>": END, "<other>": 2} | {
        character: place + 3 for place, character in enumerate(CHARACTERS)
    }
    raw = Tokenizer(models.WordLevel(words, unk_token="<other>"))
    raw.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    shape = Qwen2Config(
        vocab_size=len(words),
        hidden_size=64,
        intermediate_size=160,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=64,
        pad_token_id=PAD,
        bos_token_id=None,
        eos_token_id=END,
        tie_word_embeddings=False,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Qwen2ForCausalLM(shape), PreTrainedTokenizerFast(
            tokenizer_object=raw,
            pad_token="<pad>",
            eos_token="<end>",
            unk_token="<other>",
            padding_side="left",
        )


def half(ids, mask, answers):
    """Reward about half of the rollouts, by their tokens."""
    return (ids.sum(-1) % 2).float()


def side_by_side(folder: Path) -> dict[str, list[float]]:
    """Return seconds a step (rollouts, rewards, two optimiser steps) of both trainers."""
    from transformers import PrinterCallback, TrainerCallback
    from trl import GRPOConfig, GRPOTrainer

    net, tokenizer = model_and_tokenizer()
    texts = [
        f"{a}{sign}{b}{other}{a}="
        for a in range(8)
        for b in range(8)
        for sign in "+-"
        for other in "*-"
    ]
    ids = torch.tensor(tokenizer(texts)["input_ids"])
    protocol = Protocol(
        steps=STEPS, prompts=PROMPTS, group=GROUP, max_new=NEW, minibatches=MINIBATCHES
    )
    problem = SameProblem(
        shape=DecoderShape(vocabulary=len(tokenizer)),
        warm={},
        prompts=ids,
        prompt_mask=ids != PAD,
        answers=ids[:, 0],
        verify=half,
        end=NEVER,
        pad=PAD,
        protocol=protocol,
        net=net,
    )
    ours = Trainer(
        problem,
        PolicyMethod(),
        Run(
            seed=0,
            task="policy-optimization/speed",
            method="policy-optimization/x",
            device=torch.device("cpu"),
            workdir=folder,
        ),
    )
    seconds: dict[str, list[float]] = {"ours": [], "trl": []}

    class Turns(TrainerCallback):
        start = 0.0

        def on_step_begin(self, args, state, control, **_):
            if state.global_step % MINIBATCHES == 0:
                self.start = time.perf_counter()

        def on_step_end(self, args, state, control, **_):
            if state.global_step % MINIBATCHES == 0:
                seconds["trl"].append(time.perf_counter() - self.start)
                start = time.perf_counter()
                ours.step(state.global_step // MINIBATCHES - 1)
                seconds["ours"].append(time.perf_counter() - start)

    rows = PROMPTS * GROUP
    trainer = GRPOTrainer(
        model=net,
        processing_class=tokenizer,
        train_dataset=table([{"prompt": text} for text in texts]),
        callbacks=[Turns()],
        reward_funcs=[
            lambda completion_ids, **_: [float(sum(tokens) % 2) for tokens in completion_ids]
        ],
        args=GRPOConfig(
            output_dir=str(folder),
            max_steps=STEPS * MINIBATCHES,
            per_device_train_batch_size=rows // MINIBATCHES,
            steps_per_generation=MINIBATCHES,
            gradient_accumulation_steps=1,
            num_generations=GROUP,
            max_completion_length=NEW,
            generation_kwargs={"min_new_tokens": NEW},
            learning_rate=3e-4,
            lr_scheduler_type="constant",
            adam_beta2=0.99,
            loss_type="dapo",
            activation_checkpointing=False,
            bf16=False,
            use_cpu=True,
            save_strategy="no",
            logging_strategy="no",
            report_to=[],
            disable_tqdm=True,
            log_level="error",
        ),
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    assert ours.used.tokens_generated == STEPS * rows * NEW
    assert trainer.state.num_input_tokens_seen == STEPS * rows * (NEW + ids.shape[1])
    return {name: found[2:] for name, found in seconds.items()}


@pytest.mark.slow
def test_a_step_takes_at_most_seven_tenths_of_trl_s(tmp_path):
    pytest.importorskip("trl", reason="the extra 'llm' is not installed")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(), warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*will be removed in v6")
            seconds = side_by_side(tmp_path)
    finally:
        torch.set_num_threads(before)
    ratio = statistics.median(seconds["ours"]) / statistics.median(seconds["trl"])
    assert ratio <= 0.7, (ratio, seconds)


if __name__ == "__main__":
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as scratch:
        times = {
            name: statistics.median(found) for name, found in side_by_side(Path(scratch)).items()
        }
    sys.stdout.write(
        f"seconds a step: ours {times['ours']:.3f}, TRL {times['trl']:.3f}; ratio "
        f"{times['ours'] / times['trl']:.2f}\n"
    )
