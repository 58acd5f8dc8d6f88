"""What methods of the track work with: a batch of rollouts, a plan of the update, and the kernels
that make one from the other.

Shapes: B groups (prompts) of G rollouts, N = B G rows, T columns of completion tokens, M rows kept.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import torch

from bench.errors import InvalidRun
from bench.runs.guard import no_plain


class RolloutBatch(msgspec.Struct, frozen=True, kw_only=True):
    """What a plan may look at: rollouts and rewards, no model, no answer.

    Attributes:
        prompt_ids: (N, P), left-padded.
        prompt_mask: (N, P), False at padding.
        completion_ids: (N, T), right-padded.
        completion_mask: (N, T), True up to and with the end token.
        rewards: (N,), float32.
        group: number of each row's group (N,), int64, rising, G rows each.
        entropy: function from row numbers (M,) to the entropy of the policy's next-token
            distribution at every completion token (M, T), in nats, without gradient; a trainer that
            did not keep it from generation passes those rows forward, which the update then does
            not need again.
        wanted: B, the groups a step is meant to have; after resampling there may be more.
    """

    prompt_ids: torch.Tensor
    prompt_mask: torch.Tensor
    completion_ids: torch.Tensor
    completion_mask: torch.Tensor
    rewards: torch.Tensor
    group: torch.Tensor
    entropy: Callable[[torch.Tensor], torch.Tensor]
    wanted: int = 0

    @property
    def groups(self) -> int:
        """B."""
        return int(self.group[-1]) + 1

    def by_group(self, values: torch.Tensor) -> torch.Tensor:
        """Return values (N, ...) as (B, G, ...)."""
        return values.view(self.groups, -1, *values.shape[1:])


class UpdatePlan(msgspec.Struct, frozen=True, kw_only=True):
    """What enters the update.

    Attributes:
        rows: row numbers (M,), int64, ascending, each once.
        advantages: (M,), or a signed one for each token (M, T).
        token_weight: (M, T) in [0, 1]; 0: no gradient, the token is context only. None: every token
            of the row.
        flops: floating-point operations that making it took, where there were products to count
            (``bench.counts.Counter`` counts them); they are charged to a budget of operations.
    """

    rows: torch.Tensor
    advantages: torch.Tensor
    token_weight: torch.Tensor | None = None
    flops: int = 0


class Selection(msgspec.Struct, frozen=True):
    """A plan without what it leaves out: the rows that hold a token of weight above 0.

    Attributes:
        rows: row numbers (M,), ascending.
        mask: their completion tokens (M, T).
        weight: of each token (M, T), 0 outside ``mask``.
        advantages: of each token (M, T).
        silent: completion tokens of the rows that the plan names and that are left out.
    """

    rows: torch.Tensor
    mask: torch.Tensor
    weight: torch.Tensor
    advantages: torch.Tensor
    silent: int = 0

    @property
    def signal(self) -> torch.Tensor:
        """Tokens that pull at the policy, (M, T): neither weight nor advantage is 0."""
        return (self.advantages * (self.weight > 0)) != 0


def checked(plan: UpdatePlan, batch: RolloutBatch) -> UpdatePlan:
    """Return a plan of which every row, advantage and weight means what it says; the device is
    waited for once.

    Raises:
        InvalidRun: it is no plan, of the wrong shapes or types, or holds what is not finite or out
            of range; or the rewards are not finite.
    """
    if not isinstance(plan, UpdatePlan):
        raise InvalidRun(
            f"the method's plan is a {type(plan).__name__}; plan() returns an UpdatePlan."
        )
    if isinstance(plan.flops, bool) or not isinstance(plan.flops, int) or plan.flops < 0:
        raise InvalidRun(
            f"the method's plan has as flops {plan.flops!r:.80}; a whole number of at least 0 is "
            "wanted."
        )
    columns = batch.completion_mask.shape[1]
    rows, advantages, weight = (
        _tensor(getattr(plan, name), name) for name in ("rows", "advantages", "token_weight")
    )
    if rows is None or advantages is None:
        raise InvalidRun("the method's plan lacks rows or advantages; both are tensors.")
    if rows.dim() != 1 or rows.dtype not in (torch.int64, torch.int32):
        raise InvalidRun(
            f"the method's plan has as rows {rows.dtype} of shape {tuple(rows.shape)}; row "
            "numbers (M,), int64, are wanted."
        )
    size = len(rows)
    if (
        tuple(advantages.shape) not in ((size,), (size, columns))
        or not advantages.dtype.is_floating_point
    ):
        count = (
            f"{len(advantages)} advantage{'s' * (len(advantages) != 1)} for {size} rows"
            if advantages.dim() == 1
            else f"advantages of shape {tuple(advantages.shape)}"
        )
        raise InvalidRun(
            f"the method's plan has {count}, {advantages.dtype}; floating numbers ({size},) or "
            f"({size}, {columns}) are wanted."
        )
    if weight is not None and (
        tuple(weight.shape) != (size, columns) or not weight.dtype.is_floating_point
    ):
        raise InvalidRun(
            f"the method's plan has as token_weight {weight.dtype} of shape "
            f"{tuple(weight.shape)}; floating numbers ({size}, {columns}) are wanted."
        )
    broken = {
        "the rewards of the task are not all finite; the task is to blame, not the method": (
            ~batch.rewards.isfinite()
        ),
        (
            f"the method's plan names rows that are not there; there are {len(batch.group)}, "
            "counted from 0"
        ): (rows < 0) | (rows >= len(batch.group)),
        "the method's plan names its rows out of order, or one twice; they ascend": rows.diff()
        <= 0,
        "the method's plan has advantages that are not finite": ~advantages.isfinite(),
        "the method's plan has token weights outside 0 to 1": torch.zeros(0)
        if weight is None
        else ~((weight >= 0) & (weight <= 1)),
    }
    found = torch.stack([mask.any().to(rows.device) for mask in broken.values()]).tolist()
    if any(found):
        raise InvalidRun(f"{list(broken)[found.index(True)]}.")
    return UpdatePlan(rows=rows, advantages=advantages, token_weight=weight, flops=plan.flops)


def _tensor(value: Any, name: str) -> torch.Tensor | None:
    if value is not None and not isinstance(value, torch.Tensor):
        raise InvalidRun(
            f"the method's plan has as {name} a {type(value).__name__}; a tensor is wanted."
        )
    if value is not None and (strange := no_plain(value)):
        raise InvalidRun(f"the method's plan has as {name} {strange}.")
    if value is None or not value.dtype.is_floating_point:
        return None if value is None else value.detach()
    # losses are float32, and of floats of 8 bits torch can't even say whether they are finite
    return value.detach().float()


def planned(plan: Callable[[RolloutBatch], UpdatePlan], batch: RolloutBatch) -> UpdatePlan:
    """Return what a plan makes of a batch, checked.

    Raises:
        InvalidRun: it is not valid, or the batch was changed meanwhile: what is selected and
            counted is read from it.
    """
    parts = {
        name: part
        for name in batch.__struct_fields__
        if isinstance(part := getattr(batch, name), torch.Tensor) and not part.is_inference()
    }
    before = {name: part._version for name, part in parts.items()}
    found = plan(batch)
    if changed := [name for name, part in parts.items() if part._version != before[name]]:
        raise InvalidRun(
            f"the method's plan changed batch.{changed[0]} in place; work on a copy (.clone())."
        )
    return checked(found, batch)


def select(batch: RolloutBatch, plan: UpdatePlan) -> Selection:
    """Return what of a batch enters the update."""
    mask = batch.completion_mask[plan.rows]
    weight = mask.float() if plan.token_weight is None else plan.token_weight * mask
    advantages = (
        plan.advantages if plan.advantages.dim() == 2 else plan.advantages[:, None]
    ).expand(weight.shape)
    filled = (weight > 0).any(-1)
    return Selection(
        plan.rows[filled],
        mask[filled],
        weight[filled],
        advantages[filled],
        int(mask[~filled].sum()),
    )


def standardised(rewards: torch.Tensor, *, ddof: int = 0, eps: float = 1e-6) -> torch.Tensor:
    """Return (r - mean) / (std + eps) over the last axis, of the shape of ``rewards``; 0 throughout
    where all rewards of a group are equal.

    Source: arXiv:2402.03300, section 4.1.2.
    """
    centred = rewards - rewards.mean(-1, keepdim=True)
    std = (centred.square().sum(-1, keepdim=True) / max(1, rewards.shape[-1] - ddof)).sqrt()
    varied = (rewards != rewards[..., :1]).any(-1, keepdim=True)
    return torch.where(varied, centred / (std + eps), 0.0)


def max_variance_subset(values: torch.Tensor, n: int) -> torch.Tensor:
    """Return the positions of ``n`` values of largest variance in each row, ascending: O(N log N),
    exact.

    Some optimum is the k smallest and the n - k largest: the variance is a convex quadratic of each
    chosen value, so one that has unchosen values on both sides can be moved to an end without loss.
    All k are tried at once on prefix sums. Of equal optima the smallest k; ties at the cut by
    position.

    Args:
        values: (..., N).
        n: how many to choose; N or more: all.

    Returns:
        Positions (..., min(n, N)), int64.

    Source: arXiv:2504.13818, theorem 1 (rewards); arXiv:2509.22115 (advantages).
    """
    size = values.shape[-1]
    if n >= size:
        return torch.arange(size, device=values.device).expand(values.shape).clone()
    ranked, order = values.double().sort(dim=-1, stable=True)
    ranked = ranked - ranked.mean(-1, keepdim=True)
    sums = torch.stack([ranked, ranked.square()]).cumsum(-1)
    sums = torch.cat([torch.zeros_like(sums[..., :1]), sums], -1)
    low = torch.arange(n + 1, device=values.device)
    first, second = sums[..., low] + sums[..., -1:] - sums[..., size - n + low]
    best = (second / n - (first / n).square()).argmax(-1, keepdim=True)
    place = torch.arange(n, device=values.device).expand(*best.shape[:-1], n)
    return order.gather(-1, torch.where(place < best, place, size - n + place)).sort(-1)[0]


def rows_of(batch: RolloutBatch, positions: torch.Tensor) -> torch.Tensor:
    """Return positions within groups (B, n) as row numbers (B * n,), ascending."""
    size = len(batch.group) // batch.groups
    return (
        torch.arange(batch.groups, device=positions.device)[:, None] * size + positions
    ).flatten()


def top_tokens(scores: torch.Tensor, mask: torch.Tensor, share: float) -> torch.Tensor:
    """Return which tokens are among the ceil(share * valid) highest of all valid ones, (M, T) bool;
    of equals the earlier.

    Args:
        scores: (M, T).
        mask: valid tokens (M, T).
        share: in (0, 1].

    Source: arXiv:2506.01939, where the scores are entropies.
    """
    count = (mask.sum() * share - 1e-9).ceil().clamp_min(1)
    flat = torch.where(mask, scores, -torch.inf).flatten()
    place = flat.argsort(descending=True, stable=True).argsort()
    return (place < count).view_as(mask) & mask


def count_of(share: float, total: int) -> int:
    """Return a share of ``total`` rows as a whole number from 1 to
    ``total``, rounded to nearest.
    """
    return min(total, max(1, int(share * total + 0.5)))


def along(progress: float, start: float, end: float) -> float:
    """Return (1 - p) start + p end: the linear schedule, exact at both ends."""
    return (1 - progress) * start + progress * end
