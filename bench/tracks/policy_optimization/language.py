"""The problem of the track with a causal language model of Hugging Face in place of the small
decoder.

Imports neither transformers nor TRL until it is used.
"""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

from bench.errors import EnvironmentFault
from bench.tracks.policy_optimization.questions import Questions
from bench.tracks.policy_optimization.solution import Solution

if TYPE_CHECKING:
    from bench.runs.context import Run
    from bench.tracks.policy_optimization.method import PolicyMethod


class LanguageProblem(Questions, frozen=True, kw_only=True):
    """Improve a language model on questions whose answers can be checked."""

    def train(self, method: PolicyMethod, run: Run) -> Solution:
        """Train by the plans of ``method``, through TRL.

        Raises:
            EnvironmentFault: TRL, or vLLM where it is asked for, is not installed.
        """
        for library, wanted in (
            ("trl", True),
            ("peft", self.lora > 0),
            ("vllm", self.engine == "vllm"),
        ):
            if wanted and importlib.util.find_spec(library) is None:
                hint = (
                    "'pip install vllm', or leave engine=transformers"
                    if library == "vllm"
                    else "\"pip install 'datacentric-bench[llm]'\""
                )
                raise EnvironmentFault(
                    f"training a language model here needs the library {library!r}, which is not "
                    f"installed; run {hint}."
                )
        from bench.tracks.policy_optimization.plan_trainer import train

        return train(self, method, run)
