"""What a language model is trained on, and how: the fields of the problem.

Imports neither transformers nor TRL.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Literal

import msgspec
import torch
from msgspec import Meta

from bench.errors import InvalidRun
from bench.tracks.policy_optimization.language_model import LanguageModel
from bench.tracks.policy_optimization.solution import Protocol

Check = Callable[[str, str], float]
"""From the text of a completion and the answer to the reward."""


class Questions(msgspec.Struct, frozen=True, kw_only=True):
    """Improve a language model on questions whose answers can be checked.

    Attributes:
        source: the model's name on the hub, or its folder.
        gguf: file in that folder, where the model is stored so.
        questions: what is asked.
        answers: what ``verify`` compares with, one a question.
        verify: the reward of a text; a completion that did not end gets none.
        chat: ask through the tokenizer's chat template.
        protocol: what every method may spend.
        passes: most rows of one forward and backward pass; an update adds up as many as it needs.
        lora: rank of the adapters that are trained in place of the model; 0: the model itself.
        recompute: keep no activations for the backward pass but compute them again: less memory, a
            third more time.
        engine: what generates. ``vllm`` must be installed, and wants a GPU.
    """

    source: str
    gguf: str = ""
    questions: tuple[str, ...]
    answers: tuple[str, ...]
    verify: Check
    chat: bool = False
    protocol: Protocol
    passes: Annotated[int, Meta(ge=1)] = 8
    lora: Annotated[int, Meta(ge=0)] = 0
    recompute: bool = False
    engine: Literal["transformers", "vllm"] = "transformers"

    speaks: ClassVar[str] = "answers"
    """What a model of this kind can do."""

    def validate(self) -> None:
        """Hold the fields against each other.

        Raises:
            InvalidRun: there is no question, or not one answer for each.
        """
        if not self.questions or len(self.questions) != len(self.answers):
            raise InvalidRun(
                f"there are {len(self.questions)} questions and {len(self.answers)} answers; one "
                "answer a question is wanted, and at least one question"
            )

    def policy(self, device: torch.device) -> LanguageModel:
        """Return the model to start from.

        On a GPU its frozen weights, if there are adapters, are bfloat16.
        """
        half = device.type == "cuda" and self.lora > 0
        return LanguageModel.load(
            self.source, device, gguf=self.gguf, dtype=torch.bfloat16 if half else torch.float32
        )

    def prompt(self, question: str) -> Any:
        """Return a question as the model is asked it."""
        return [{"role": "user", "content": question}] if self.chat else question
