"""The small language model that the tests of this track share."""

from policy_language import tiny_model

__all__ = ["tiny_model"]
