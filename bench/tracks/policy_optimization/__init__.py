"""Track ``policy-optimization``: reinforcement learning with verifiable rewards.

One trainer; methods choose what enters the update.

A method writes :meth:`PolicyMethod.plan`: from a batch of rollouts and their rewards to the rows,
advantages and token weights of the update. The trainer is the problem's, so one method file runs on
the small decoder here and on any other trainer behind the same plan.
"""

from __future__ import annotations

from bench.cards import TrackCard
from bench.tracks.policy_optimization.method import PolicyMethod
from bench.tracks.policy_optimization.plan import (
    RolloutBatch,
    UpdatePlan,
    along,
    count_of,
    max_variance_subset,
    rows_of,
    standardised,
    top_tokens,
)
from bench.tracks.policy_optimization.problem import PolicyProblem
from bench.tracks.policy_optimization.solution import Counters, Policy, Protocol, Shown, Solution

TRACK = TrackCard(
    name="policy-optimization",
    title="Policy optimisation",
    about="Choose which rollouts a policy learns from.",
    field="policies",
    ranked="methods that plan updates, by the success of the policy after training",
)

__all__ = [
    "Counters",
    "Policy",
    "PolicyMethod",
    "PolicyProblem",
    "Protocol",
    "RolloutBatch",
    "Shown",
    "Solution",
    "UpdatePlan",
    "along",
    "count_of",
    "max_variance_subset",
    "rows_of",
    "standardised",
    "top_tokens",
]
