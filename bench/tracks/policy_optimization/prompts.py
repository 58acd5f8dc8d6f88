"""What a policy is trained on, and how: the fields of the problem."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, ClassVar

import msgspec
import torch
from msgspec import Meta

from bench.declared import Array
from bench.errors import InvalidRun
from bench.tracks.policy_optimization.solution import Protocol
from bench.training.decoder import Decoder, DecoderShape

Verify = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]
"""From completions (N, T), their mask (N, T) and the answers (N,) to rewards (N,), float32."""


class Prompts(msgspec.Struct, frozen=True, kw_only=True):
    """Improve a policy on prompts whose answers can be checked.

    Attributes:
        shape: sizes of the policy.
        warm: its parameters at the start by name, each of its shape.
        prompts: training prompts (Q, P), left-padded.
        prompt_mask: (Q, P), False at padding.
        answers: what ``verify`` compares with (Q,).
        verify: the reward.
        end: number of the token that ends a completion.
        pad: number of the token that fills up.
        protocol: what every method may spend.
    """

    shape: DecoderShape
    warm: Annotated[Mapping[str, torch.Tensor], Array(..., dtype="float")]
    prompts: Annotated[torch.Tensor, Array("Q", "P", dtype="int64", ge=0, lt="vocabulary")]
    prompt_mask: Annotated[torch.Tensor, Array("Q", "P", dtype="bool")]
    answers: Annotated[torch.Tensor, Array("Q", ..., dtype="number")]
    verify: Verify
    end: Annotated[int, Meta(ge=0)]
    pad: Annotated[int, Meta(ge=0)]
    protocol: Protocol

    speaks: ClassVar[str] = "generate"
    """What a policy of this kind can do."""

    @property
    def vocabulary(self) -> int:
        """Tokens that there are."""
        return self.shape.vocabulary

    def validate(self) -> None:
        """Hold the fields against each other.

        Raises:
            InvalidRun: a prompt has no token, or a batch has more prompts than there are.
        """
        if not bool(self.prompt_mask.any(-1).all()):
            raise InvalidRun(
                f"prompt_mask hides all of prompt {int((~self.prompt_mask.any(-1)).nonzero()[0])}"
            )
        if max(self.end, self.pad) >= self.vocabulary:
            raise InvalidRun(
                f"end is {self.end} and pad is {self.pad}, and both must be below "
                f"{self.vocabulary}, the size of the vocabulary"
            )
        if self.protocol.prompts > len(self.prompts):
            raise InvalidRun(
                f"protocol.prompts is {self.protocol.prompts}, and there are {len(self.prompts)} "
                "prompts"
            )

    def policy(self, device: torch.device) -> Decoder:
        """Return the policy of the warm start, on a device."""
        model = Decoder(self.shape)
        model.load_state_dict(dict(self.warm))
        return model.to(device)
