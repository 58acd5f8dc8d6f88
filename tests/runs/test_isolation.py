"""Problems have memory of their own: bit for bit what they were, and nothing behind it."""

import dataclasses
from collections import OrderedDict
from typing import NamedTuple

import msgspec
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bench.runs.isolation import Memory, isolate, spans


class Record(msgspec.Struct, frozen=True):
    x: object
    name: str = "n"


@dataclasses.dataclass(frozen=True)
class Frozen:
    x: object
    done: int = dataclasses.field(default=1, init=False)


class Pair(NamedTuple):
    x: object
    y: object


def own(value, hidden=()):
    (found,) = isolate([value], [hidden])
    return found


def shares(first, second):
    return Memory(spans(second)).meets(first)


SIDES = st.integers(0, 4)
CUTS = st.tuples(SIDES, SIDES).map(lambda ends: slice(min(ends), max(ends)))


@given(
    st.tuples(CUTS, CUTS, CUTS),
    st.permutations([0, 1, 2]),
    st.sampled_from([torch.float32, torch.int64, torch.bool, torch.bfloat16, torch.complex64]),
)
def test_any_view_becomes_a_tensor_of_the_same_bits_and_strides_that_shares_no_memory(
    cuts, order, kind
):
    whole = torch.arange(64).view(4, 4, 4).to(kind)
    view = whole[cuts].permute(order)
    found = own(view)
    assert torch.equal(found, view)
    assert (found.dtype, found.shape) == (view.dtype, view.shape)
    assert found.is_contiguous() == view.is_contiguous()
    if view.numel() in (0, 64):
        assert view.numel() == 0 or found is view
    else:
        assert not shares(found, whole)
        assert found.stride() == view.stride() or view.numel() < 2
        assert own(found).untyped_storage().nbytes() <= view.numel() * 64 * view.element_size()


@given(st.lists(CUTS, min_size=2, max_size=2), st.booleans())
def test_any_view_of_an_array_becomes_an_array_of_its_own(cuts, flipped):
    whole = np.arange(16).reshape(4, 4)
    view = whole[tuple(cuts)]
    view = view[::-1] if flipped else view
    found = own(view)
    assert np.array_equal(found, view)
    assert view.size in (0, 16) or not np.shares_memory(found, whole)


@pytest.mark.parametrize(
    "make",
    [
        lambda whole: whole[0].expand(5, 6),
        lambda whole: whole.view(-1)[3:9].unfold(0, 3, 1),
        lambda whole: whole[::2, ::3],
        lambda whole: whole.t()[2],
        lambda whole: whole[1, 1],
        lambda whole: whole[:2].detach().requires_grad_(),
        lambda whole: torch.nn.Parameter(whole[:2]),
    ],
    ids=[
        "repeated",
        "overlapping",
        "with gaps",
        "a column",
        "a scalar",
        "with a gradient",
        "a parameter",
    ],
)
def test_unusual_views_keep_their_bits_and_kind(make):
    whole = torch.randn(4, 6)
    view = make(whole)
    found = own(view)
    assert torch.equal(found, view)
    assert (type(found), found.requires_grad, found.stride()) == (
        type(view),
        view.requires_grad,
        view.stride(),
    )
    assert not shares(found, whole)


def test_what_has_memory_of_its_own_is_not_copied():
    problem = Record(
        {
            "x": torch.ones(3),
            "y": np.ones(3),
            "rows": [torch.ones(2), (1, 2)],
            "same": torch.ones(1).expand(9),
        }
    )
    assert own(problem, Record(torch.ones(3))) is problem


def test_what_the_hidden_part_holds_too_is_copied():
    x = torch.ones(3)
    found = own(Record(x), hidden={"train": [x]})
    assert torch.equal(found.x, x)
    assert not shares(found.x, x)


def test_an_array_that_lies_in_a_tensor_of_the_hidden_part_is_copied():
    x = torch.ones(3)
    assert not shares(own(Record(x.numpy()), hidden=Record(x)).x, x)


def test_problems_that_share_a_tensor_go_on_sharing_it():
    x = torch.ones(4)[:2]
    first, second = isolate([Record(x), Record({"x": x})], [None])
    assert first.x is second.x["x"]
    assert first.x is not x


@pytest.mark.parametrize(
    "wrap",
    [
        Record,
        Frozen,
        lambda x: Pair(x, 1),
        lambda x: [x],
        lambda x: (x, 0),
        lambda x: {"k": x},
        lambda x: OrderedDict(k=x),
    ],
)
def test_records_and_containers_of_every_kind_are_rebuilt_as_what_they_are(wrap):
    whole = torch.arange(6.0)
    value = wrap(whole[:3])
    found = own(value)
    assert type(found) is type(value)
    leaf = found.x if hasattr(found, "x") else found["k"] if isinstance(found, dict) else found[0]
    assert torch.equal(leaf, whole[:3])
    assert not shares(leaf, whole)


def test_sparse_tensors_of_the_hidden_part_are_copied():
    rows = torch.eye(3).to_sparse()
    found = own(rows, hidden=[rows])
    assert torch.equal(found.to_dense(), rows.to_dense())
    assert not shares(found, rows)


def test_a_ring_of_references_ends():
    ring = [torch.ones(4)[:2]]
    ring.append(ring)
    assert own(ring)[0].untyped_storage().nbytes() == 8
