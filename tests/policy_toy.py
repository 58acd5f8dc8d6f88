"""A problem that takes milliseconds: one token in, one token out, each
prompt with an answer of its own.
"""

import itertools

import pytest
import torch

from bench.runs.context import Run
from bench.tracks.policy_optimization import PolicyProblem, Protocol, RolloutBatch
from bench.training.decoder import Decoder, DecoderShape

CPU = torch.device("cpu")
PAD, START, END, FIRST = 0, 1, 2, 3


@pytest.fixture
def run_of(tmp_path):
    """Return a function from a seed to a fresh run of that seed."""

    def make(seed=0, method="policy-optimization/x", folder=None):
        # a run finds the checkpoint of an earlier one in its own folder alone
        folder = tmp_path / (folder or str(next(numbers)))
        folder.mkdir(exist_ok=True)
        return Run(
            seed=seed, task="policy-optimization/toy", method=method, device=CPU, workdir=folder
        )

    numbers = itertools.count()

    return make


def echo(ids, mask, answers):
    """Reward 1 for an answer that begins with the right token."""
    return (ids[:, 0] == answers).float()


@pytest.fixture
def toy():
    """Return a function that makes the problem: begin with the token that belongs to the prompt."""

    def make(symbols=4, verify=echo, seed=0, **protocol):
        shape = DecoderShape(vocabulary=FIRST + symbols, context=16, width=16, layers=1, heads=2)
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            warm = Decoder(shape).state_dict()
        prompts = torch.tensor(
            [
                [PAD, START, FIRST + k] if k % 2 else [START, FIRST, FIRST + k]
                for k in range(symbols)
            ]
        )
        protocol = {
            "steps": 6,
            "prompts": 4,
            "group": 8,
            "max_new": 3,
            "lr": 1e-2,
            "report_every": 1,
            **protocol,
        }
        return PolicyProblem(
            shape=shape,
            warm=warm,
            prompts=prompts,
            prompt_mask=prompts != PAD,
            answers=FIRST + (torch.arange(symbols) + 1) % symbols,
            verify=verify,
            end=END,
            pad=PAD,
            protocol=Protocol(**protocol),
        )

    return make


@pytest.fixture
def batch_of():
    """Return a function that makes a batch by hand from rewards (B, G):
    three tokens a row, or fewer; entropies given or drawn.
    """

    def make(rewards, lengths=None, entropy=None, seed=0):
        rewards = torch.as_tensor(rewards, dtype=torch.float32)
        groups, size = rewards.shape
        generator = torch.Generator().manual_seed(seed)
        length = torch.full((groups * size,), 3) if lengths is None else torch.as_tensor(lengths)
        columns = max(1, int(length.max()))
        mask = torch.arange(columns) < length[:, None]
        known = (
            torch.rand(groups * size, columns, generator=generator)
            if entropy is None
            else torch.as_tensor(entropy, dtype=torch.float32)
        )
        asked = []

        def entropies(rows):
            asked.append(rows)
            return known[rows]

        batch = RolloutBatch(
            prompt_ids=torch.full((groups * size, 2), START),
            prompt_mask=torch.ones(groups * size, 2, dtype=torch.bool),
            completion_ids=torch.where(mask, FIRST, PAD),
            completion_mask=mask,
            rewards=rewards.flatten(),
            group=torch.arange(groups).repeat_interleave(size),
            entropy=entropies,
            wanted=groups,
        )
        return batch, known, asked

    return make
