from __future__ import annotations

import itertools
import sys
import types

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.runs import loaded_modules

_numbers = itertools.count()


@pytest.fixture(scope="module")
def home():
    """The first part of names that no other module has."""
    yield "loaded_modules_test"
    for name in [name for name in sys.modules if name.startswith("loaded_modules_test")]:
        del sys.modules[name]


def add(name: str) -> str:
    sys.modules[name] = types.ModuleType(name)
    return name


def test_nothing_was_added_after_the_youngest():
    assert loaded_modules.since(loaded_modules.mark()) == []


def test_what_was_added_since_comes_in_its_order(home):
    place = loaded_modules.mark()
    added = [add(f"{home}.first"), add(f"{home}.second")]
    assert loaded_modules.since(place) == added


def test_all_names_were_added_since_a_place_that_is_gone(home):
    name = add(f"{home}.gone")
    place = loaded_modules.mark()
    del sys.modules[name]
    assert loaded_modules.since(place) == list(sys.modules)


def test_what_came_before_a_module_that_was_loaded_again_is_found(home):
    name = add(f"{home}.again")
    module, place = sys.modules[name], loaded_modules.mark()
    between = add(f"{home}.between")
    del sys.modules[name]
    sys.modules[name] = module
    assert between in loaded_modules.since(place)
    sys.modules[name] = types.ModuleType(name)
    assert between in loaded_modules.since(place)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=12))
def test_the_names_below_a_home_are_those_that_a_look_at_all_finds(home, changes):
    for part, there in changes:
        name = f"{home}.{part}{next(_numbers) % 5}"
        if there:
            add(name)
        else:
            sys.modules.pop(name, None)
        wanted = {each for each in sys.modules if each.partition(".")[0] in (home, "bench")}
        found = loaded_modules.below({home, "bench"})
        assert set(found) == wanted
        assert len(found) == len(wanted)
