"""``bench check``."""

from __future__ import annotations

import json
from pathlib import Path

MOCK = str(Path(__file__).parents[1] / "mock")
NONE = '''
from typing import ClassVar
from bench import MethodCard
from bench.tracks.noisy_labels import NoisyLabelMethod


class Forgets(NoisyLabelMethod):
    """A method whose loss lacks a return."""

    card: ClassVar = MethodCard(name="forgets", title="Forgets", track="noisy-labels", stacked=True)

    def loss(self, state, batch, logits):
        logits.sum()
'''


def test_a_plugin_that_keeps_the_contracts_exits_0_with_a_report(bench):
    done = bench("check", "mock-regression/constant", "--quick", "--plugins", MOCK)
    assert done.code == 0
    assert done.out.startswith("## method mock-regression/constant: passes")


def test_one_that_does_not_exits_1_and_json_says_which_rule(bench, plugin):
    path = plugin("boom", "raise ValueError('no')")
    done = bench("check", str(path), "--quick", "--json")
    found = json.loads(done.out)
    assert (done.code, found["ok"]) == (1, False)
    assert {
        finding["rule"]
        for finding in found["reports"][0]["findings"]
        if finding["outcome"] == "failed"
    } == {"solves"}


def test_a_name_that_is_unknown_is_a_sentence(bench):
    done = bench("check", "elrr")
    assert done.code == 2
    assert "unknown method 'elrr'. Did you mean 'elr'" in done.err


def test_reasons_of_what_failed_come_first(bench, plugin):
    done = bench("check", str(plugin("boom", "raise ValueError('no')")), "--quick")
    assert done.out.split("\n- ")[1].startswith("solves on ")
    assert "plugins" not in done.err


def test_a_check_of_several_plugins_ends_with_those_that_fail(bench, plugin):
    more = ["--plugins", MOCK, "--plugins", str(plugin("constan-t", "raise ValueError('no')"))]
    done = bench("check", "constan*", "--quick", *more)
    assert done.code == 1
    assert done.err.endswith("bench: of 2 plugins, these 1 fail: noisy-labels/constan-t.\n")


def test_what_a_plugin_prints_stays_out_of_the_report(bench, plugin):
    done = bench("check", str(plugin("loud", "print('a word' * 99); raise ValueError")), "--quick")
    assert "a word" in done.err
    assert done.out.startswith("## method noisy-labels/loud: fails")
    assert "a word" not in done.out


def test_the_columns_of_a_report_stand_below_one_another(bench):
    done = bench("check", "mock-regression/constant", "--quick", "--plugins", MOCK)
    table = [line for line in done.out.split("\n") if line.startswith("|")]
    assert len({tuple(i for i, mark in enumerate(line) if mark == "|") for line in table}) == 1


def test_a_loss_that_is_none_is_told_to_lie_with_what_the_shared_code_was_given(bench, tmp_path):
    (tmp_path / "none.py").write_text(NONE)
    done = bench("check", "none.py", "--quick")
    assert done.code == 1
    assert "the code that methods share raised it: look at what it was given (" in done.out
