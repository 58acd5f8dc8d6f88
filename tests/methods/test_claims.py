"""What tests of claims share, on hand-made records; and that committed ones are of today's code."""

from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest
from claims import (
    SEEDS,
    SWEEPS,
    Claim,
    adjusted,
    committed,
    figures,
    gains,
    holm,
    interval,
    lines,
    p_value,
    without_runs,
)

from bench.cli._board import stale_ids
from bench.plugins.registry import Registry

ABOVE = Claim("t", "a", "v", "acc", "m", "n", 1.0)


def records(method, variant="v", **metrics):
    """Return a run of each seed, whose figures grow with the seed."""
    return [
        SimpleNamespace(
            track="t",
            task="a",
            variant=variant,
            method=method,
            seed=seed,
            custom=False,
            params={},
            status="ok",
            metrics={name: value + 0.1 * (seed % 7) for name, value in metrics.items()},
        )
        for seed in SEEDS
    ]


def test_a_gain_is_the_difference_beyond_the_margin():
    found = gains((ABOVE,), records("m", acc=5.0) + records("n", acc=3.0))
    assert found[ABOVE] == pytest.approx([1.0] * 10)


def test_both_sides_may_have_a_variant_and_a_metric_of_their_own():
    claim = Claim("t", "a", ("v", "w"), ("fgsm", "robust"), "m", "m")
    found = gains((claim,), records("m", fgsm=50.0) + records("m", "w", robust=4.0))
    assert found[claim] == pytest.approx([46.0] * 10)
    assert "| a v against w | fgsm against robust | +46.00 |" in lines(found)[0]


def test_a_figure_below_a_number_is_claimed_of_one_method():
    claim = Claim("t", "a", "v", "acc", "", (("m", 1.0),), -20.0)
    found = gains((claim,), records("m", acc=12.0))
    assert found[claim][0] == pytest.approx(8.0 - 0.1 * (SEEDS[0] % 7))
    assert lines(found)[0].startswith("| `m` below 20 | a v | acc | +12")


def test_a_claim_about_a_method_without_runs_is_named_and_has_no_gain():
    other, there = ABOVE._replace(better="k"), records("m", acc=5.0) + records("n", acc=3.0)
    assert without_runs((ABOVE, other), there) == {other}
    with pytest.raises(KeyError):
        gains((ABOVE, other), there)


def test_a_claim_that_is_not_there_counts_with_the_largest_p():
    found = gains((ABOVE,), records("m", acc=5.0) + records("n", acc=3.0))
    assert adjusted(found, 2)[ABOVE] == pytest.approx(2 * adjusted(found)[ABOVE])


def test_p_values_are_adjusted_as_holm_does():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])


def test_equal_gains_get_the_p_of_a_sign_test_and_no_interval():
    assert p_value([2.0] * 10) == pytest.approx(2.0**-10)
    assert p_value([-2.0] * 10) == 1.0
    assert interval([2.0] * 10) is None
    assert figures([2.0] * 10) == "+2.00"


# Committed records -----------------------------------------------------------

HERE = Path(__file__).resolve().parent
WITHOUT_A_TEST = {
    "valuation-reliability": "bench run --task value-mislabel --seeds 100-109 --device cpu --method "
    "'knn-shapley,shapley-perm,beta-shapley,banzhaf-msr,banzhaf-msr[subsets=4000]' --results DIR",
}
"""File of records that pages quote -> what runs them; those of claims are run by their tests."""
OLDER = {"plain-claims"}
"""Files whose runs are to be repeated; docs/tracks/noisy-labels.md says so."""


def what_runs(name):
    """Return the command that runs what a file of claims rests on."""
    for file in HERE.rglob("test_*claims.py"):
        if f'COMMITTED = "{name}"' in file.read_text():
            shown = file.relative_to(HERE.parents[1])
            return f"BENCH_CLAIMS=DIR python -m pytest -s -m slow {shown}"
    return WITHOUT_A_TEST[name]


def test_no_claim_rests_on_runs_of_older_code():
    registry, said = Registry(), []
    claimed = {file.stem for file in SWEEPS.glob("*-claims.jsonl")}
    for name in sorted((claimed | {"elr-plus-turns", *WITHOUT_A_TEST}) - OLDER):
        records = committed(name)
        assert records, name
        stale = stale_ids(registry, records)
        if stale:
            of = Counter(f"{one.task}/{one.method}" for one in records if one.id in stale)
            said.append(
                f"{name}.jsonl: {len(stale)} of {len(records)} runs ({', '.join(sorted(of))}); "
                f"run '{what_runs(name)}', then 'bench results export "
                f"docs/records/sweeps/{name}.jsonl --results DIR'"
            )
    assert not said, "runs of older code:\n" + "\n".join(said)
