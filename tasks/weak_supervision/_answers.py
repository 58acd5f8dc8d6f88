"""Sources that ask a language model about a text. The questions were written down before any label
was looked at.

Source: arXiv:2205.02318 (several questions a row, answers mapped to votes or abstention) and
arXiv:2102.09690 (what a model says of texts without content can be taken off its answers).
"""

from __future__ import annotations

import hashlib
import inspect
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench.runs.context import Run

from ._words import BAD, GOOD

QUESTIONS = {
    "good film?": ("Is this a good film, yes or no?", " yes", " no"),
    "recommend?": ("Does the writer recommend this movie, yes or no?", " yes", " no"),
    "review?": ("Is this review positive or negative?", " positive", " negative"),
    "enjoyed?": ("Was the audience amused or bored?", " amused", " bored"),
    "work?": ("Is this work brilliant or dull?", " brilliant", " dull"),
}
"""Source -> what is asked, the answer of a good and that of a bad opinion."""
EMPTY = ("", "N/A", "[MASK]")
"""Texts without content (arXiv:2102.09690)."""
BEFORE, AFTER = "Review:", "\nAnswer:"
_BATCH = 32


def log_odds(run: Run, texts: Sequence[str]) -> torch.Tensor:
    """Return by how much the answer of a good opinion is likelier than that of a bad one (n, 5),
    natural logarithms, asked of the dataset ``smollm2-135m`` once for a machine's kind of device.

    Args:
        run: gives the model and keeps the answers.
        texts: n texts.
    """
    content = run.dataset("smollm2-135m").content
    recipe = {
        "answers": [[name, *asked] for name, asked in QUESTIONS.items()],
        "around": [BEFORE, AFTER],
        "model": hashlib.sha256(content.numpy().tobytes()).hexdigest(),
        "texts": hashlib.sha256("\0".join(texts).encode()).hexdigest(),
    }

    def build(child: Run) -> dict[str, torch.Tensor]:
        return {"odds": answered(opened(content, run.device), texts)}

    return run.cached(recipe, build)[0]["odds"]


def opened(content: torch.Tensor, device: torch.device) -> Any:
    """Return a language model from the bytes of its file (n,)."""
    from bench.tracks.policy_optimization.language_model import LanguageModel

    with tempfile.TemporaryDirectory() as folder:
        content.numpy().tofile(Path(folder, "model.gguf"))
        return LanguageModel.load(folder, device, gguf="model.gguf")


def answered(model: Any, texts: Sequence[str]) -> torch.Tensor:
    """Return the log odds of the answers about each text (n, 5). A text is read once for all
    questions, and texts of about the same length together.
    """
    asked = [_tokens(model, f"\n{question}{AFTER}") for question, *_ in QUESTIONS.values()]
    words = [[_word(model, name) for name in names] for _, *names in QUESTIONS.values()]
    read = [_tokens(model, f"{BEFORE} {text}".rstrip()) for text in texts]
    order = sorted(range(len(read)), key=lambda row: len(read[row]))
    found = torch.empty(len(texts), len(asked))
    model.net.eval()
    with torch.no_grad():
        for start in range(0, len(order), _BATCH):
            rows = order[start : start + _BATCH]
            found[rows] = _batch(model.net, [read[row] for row in rows], asked, words).cpu()
    return found


def _batch(net: Any, read: list[Any], asked: list[Any], words: list[list[int]]) -> torch.Tensor:
    """Return the log odds (B, 5) of some texts, padded on the left."""
    from transformers import DynamicCache

    longest = max(len(own) for own in read)
    tokens = torch.zeros(len(read), longest, dtype=torch.int64, device=net.device)
    seen = torch.zeros_like(tokens)
    for row, own in enumerate(read):
        tokens[row, longest - len(own) :] = torch.as_tensor(own, device=net.device)
        seen[row, longest - len(own) :] = 1
    places = (seen.cumsum(1) - 1).clamp_min(0)
    # what later versions of transformers call cache
    known = "cache" if "cache" in inspect.signature(net.forward).parameters else "past_key_values"
    past = DynamicCache()
    shared = {known: past, "use_cache": True, "logits_to_keep": 1}
    net(tokens, attention_mask=seen, position_ids=places, **shared)
    columns = []
    for question, (good, bad) in zip(asked, words, strict=True):
        more = torch.as_tensor(question, device=net.device).expand(len(read), -1)
        said = net(
            more,
            attention_mask=torch.cat([seen, torch.ones_like(more)], 1),
            position_ids=places[:, -1:] + 1 + torch.arange(more.shape[1], device=net.device),
            **shared,
        ).logits[:, -1]
        past.crop(-more.shape[1])
        columns.append(said[:, good] - said[:, bad])
    return torch.stack(columns, 1).float()


def _tokens(model: Any, text: str) -> list[int]:
    found: list[int] = model.tokenizer(text, add_special_tokens=False)["input_ids"]
    return found


def _word(model: Any, text: str) -> int:
    """Return the token that an answer begins with."""
    return _tokens(model, text)[0]


def votes_of_odds(odds: np.ndarray, centre: np.ndarray, silent: float) -> np.ndarray:
    """Return what the sources say (n, 5), -1 where they abstain: a source says good where the log
    odds are above its centre, bad where they are below, and nothing of the texts nearest to it.

    Args:
        odds: of the texts (n, 5).
        centre: of each source (5,).
        silent: share of the texts that a source abstains on, in [0, 1).
    """
    lead = odds - centre
    unsure = abs(lead) <= np.quantile(abs(lead), silent, axis=0, method="lower")
    unsure &= silent > 0
    return np.where(unsure | (lead == 0), -1, np.where(lead > 0, GOOD, BAD))
