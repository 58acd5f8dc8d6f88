"""A language model that fits into a test: two layers, random weights, a
byte-level tokenizer that was trained, all saved to disk.
"""

import importlib.util
import os
from pathlib import Path

import pytest
import torch

QUESTIONS = tuple(f"{a} + {b} =" for a in range(6) for b in range(6))
ANSWERS = tuple(str(a + b) for a in range(6) for b in range(6))
TEMPLATE = (
    "{% for message in messages %}{{ message['role'] }}: {{ message['content'] }}\n{% endfor "
    "%}{% if add_generation_prompt %}assistant: {% endif %}"
)


def library(name):
    """Skip where a library of the extra is not installed; where the extra
    is required, as in continuous integration, fail.
    """
    if importlib.util.find_spec(name) is None:
        said = f"the extra 'llm' is not installed: {name}"
        (pytest.fail if os.environ.get("BENCH_TEST_EXTRAS") == "required" else pytest.skip)(said)


def save_model(folder: Path, **sizes) -> Path:
    """Save a Qwen2 of random weights with a byte-level tokenizer; sizes
    are those of its configuration.
    """
    from tokenizers import ByteLevelBPETokenizer
    from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

    trained = ByteLevelBPETokenizer()
    trained.train_from_iterator(
        [*QUESTIONS, *ANSWERS, "user: assistant: boxed"],
        vocab_size=280,
        special_tokens=["<pad>", "<end>"],
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=trained._tokenizer, pad_token="<pad>", eos_token="<end>"
    )
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(folder)
    tokens = {
        "vocab_size": len(tokenizer),
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": None,
        "eos_token_id": tokenizer.eos_token_id,
    }
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = Qwen2ForCausalLM(Qwen2Config(**{**tokens, **sizes}))
    # so that some completions end, and can be rewarded
    net.lm_head.weight.data[tokenizer.eos_token_id] *= 4
    net.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory) -> Path:
    """The folder of the model."""
    library("trl")
    return save_model(
        tmp_path_factory.mktemp("tiny-qwen2"),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=128,
        initializer_range=0.3,
    )
