"""The claims about methods against wrong labels, for condensation, graphs, policies and ranks are one
family: p is adjusted by Holm over the claims of six files at once, in the tables of the docs too.
This file says how many of the methods have a claim that holds, which the page of noisy labels shows.
"""

from __future__ import annotations

import functools
import importlib
import sys
from pathlib import Path

from claims import SEEDS, adjusted, committed, failed, gains, without_runs

HERE = Path(__file__).resolve().parent
FILES = (
    "test_label_noise_claims",
    "test_step_and_rank_claims",
    "condensation/test_bilevel_claims",
    "graph_ood/test_newer_claims",
    "noisy_labels/test_estimated_claims",
    "noisy_labels/test_tail_claims",
)
METHODS = (
    *("dividemix", "sop-plus", "feasible"),
    *("coteaching-estimated", "dividemix-estimated", "late-stopping-estimated"),
    *("cincer-margin", "simifeat"),
    *("mtt", "ift", "ift-weights", "dm-soft", "random-soft"),
    *("dir", "gsat", "ciga", "stablegnn", "coral"),
    "incorrect",
)
ALONE = {
    ("elr", "knn-vote", "rank_true"),
    ("stablegnn", "erm", "ood_test"),
    ("dividemix", "elr", "acc_last"),
    ("ce-large-batch", "ce", "acc_last"),
}
"""Method, other and metric of the claims that p adjusted over the family refutes."""
SEARCHES = {
    "dividemix": "dividemix-search",
    "simifeat": "simifeat-search",
    "dir": "rationales-search",
    "gsat": "rationales-search",
    "ciga": "rationales-search",
    "stablegnn": "graph-search",
    "coral": "graph-search",
}
"""Method -> file of docs/records/sweeps that holds the settings that were compared."""


def parts(files=FILES):
    """Return of each file the gains of the claims that have runs, and the claims that have none."""
    found = []
    for name in files:
        path = HERE / name
        sys.path.append(str(path.parent))
        module = importlib.import_module(path.name)
        records = committed(module.COMMITTED)
        missing = without_runs(module.CLAIMS, records)
        ran = [claim for claim in module.CLAIMS if claim not in missing]
        found.append((gains(ran, records, getattr(module, "SEEDS", SEEDS)), missing))
    return found


@functools.cache
def together():
    """Return p of every claim that has runs, adjusted over all of them, and the other claims."""
    gained, waiting = joined(parts())
    return adjusted(gained), waiting


def joined(found):
    """Return the gains of all files, and the claims without runs."""
    gained = {claim: values for part, _ in found for claim, values in part.items()}
    return gained, set().union(*(missing for _, missing in found))


def about(name, claims):
    """Return those of the claims that a method is the subject of: it is above or below another, or,
    where the margin is negative, not far below it.
    """
    return [
        claim
        for claim in claims
        if name in [call for *_, call, _ in claim.terms()][: 1 if claim.margin < 0 else None]
    ]


def settings(name):
    """Return how many settings of a method were compared and committed."""
    runs = committed(SEARCHES[name]) if name in SEARCHES else []
    return len({str(record.params) for record in runs if record.method == name})


def test_four_claims_hold_in_their_file_alone_and_not_in_the_family():
    found, alone = parts(), set()
    for gained, missing in found:
        alone |= set(gained) - failed(adjusted(gained, len(gained) + len(missing)))
    p_values, _ = together()
    held = set(p_values) - failed(p_values)
    assert held <= alone
    assert {(one.better, one.other, one.metric) for one in alone - held} == ALONE


def test_at_most_a_third_of_the_methods_lacks_a_claim_that_holds_and_of_each_three_settings_are_committed():
    p_values, waiting = together()
    held = set(p_values) - failed(p_values)
    without = [name for name in METHODS if not about(name, held | waiting)]
    assert len(without) <= len(METHODS) / 3
    assert all(settings(name) >= 3 for name in without)


def test_a_claim_that_a_method_is_not_far_below_another_is_none_about_the_other():
    _, waiting = together()
    [claim] = [
        one
        for one in {*together()[0], *waiting}
        if one.better == "dividemix-estimated" and one.variant == "sym40"
    ]
    assert about("dividemix-estimated", [claim]) == [claim]
    assert about("dividemix", [claim]) == []
