"""The small language model and the small problem that the tests of this track share."""

from policy_language import tiny_model
from policy_toy import run_of, toy

__all__ = ["run_of", "tiny_model", "toy"]
