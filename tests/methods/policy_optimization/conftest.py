"""The small problem and the batches made by hand that the tests of this track share."""

from policy_toy import batch_of, run_of, toy

__all__ = ["batch_of", "run_of", "toy"]
