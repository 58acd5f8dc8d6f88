"""The parts of a renewal: what is compared, what is carried, what is refused and withdrawn."""

from __future__ import annotations

import json
from datetime import date, timedelta
from types import SimpleNamespace

import msgspec
import numpy as np
import pytest

from bench.cards import Metric, Preset, TaskCard
from bench.contracts import Score
from bench.runs.alike import unlike
from bench.runs.nightly import CHECKED
from bench.runs.nightly_checks import check_of, to_check, withdrawn
from bench.runs.old_code import Code, NoOldCode, Runner, git, repository
from bench.runs.proofs import (
    Proof,
    carry_proofs,
    change_of,
    read_proof,
    withdraw,
    withdrawals,
    write_proof,
)
from bench.runs.record import RecordError, decode_record, encode_record
from bench.runs.renewal_note import Renewed, carried
from bench.runs.renewal_sample import draw
from bench.runs.result import Result
from bench.runs.saved import digests_of, save_files
from bench.runs.store import Store

CARD = TaskCard(
    name="k",
    title="A task",
    track="t",
    metrics=(
        Metric(name="acc", direction="max", primary=True),
        Metric(name="passes_s", direction="min", clock=True),
    ),
    presets={"default": Preset(variants={"v": {}}, seeds=2, timeout=60)},
)
KEY = "f" * 32


def renewed(record, **fields):
    """Return a record as a renewal writes it."""
    said = Renewed(
        run=record.id,
        digest=carried(record),
        to=KEY,
        by={"bench": "1"},
        proved_on={"cpu_class": "here", "sample": ["v seed 0"]},
        proofs=["0123456789abcdef-01234567"],
    )
    return msgspec.structs.replace(record, key=KEY, renewed=said, **fields)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"metrics": {"acc": 50.0000001, "none": None}}, ["acc"]),
        ({"metrics": {"acc": 50.0, "none": None, "passes_s": 3.0}}, []),
        ({"gates": {"g": True}}, ["gate g"]),
        ({"counters": {"forward": 3}}, ["forward visits"]),
        ({"curve": [{"step": 0, "acc": 1.0}]}, ["curve"]),
        ({"not_rankable": "no"}, ["not_rankable"]),
        ({"digests": {"array:a": "0"}}, []),
        ({"cost": {"solve_s": 9.0}, "logs": []}, []),
    ],
)
def test_runs_are_alike_in_all_that_no_clock_decides(make_record, fields, said):
    assert unlike(make_record(0), make_record(0, **fields), CARD) == said


def test_operations_that_one_of_two_runs_was_counted_for_do_not_count(make_record):
    curve = make_record(0).curve
    counted = [{**entry, "flops": 7} for entry in curve]
    assert unlike(make_record(0, curve=curve), make_record(0, curve=counted), CARD) == []


def test_seconds_in_a_curve_do_not_count_and_digests_do_where_both_have_them(make_record):
    one, other = (
        make_record(
            0,
            curve=[{"step": 1, "acc": 1.0, "passes_s": float(number)}],
            digests={"array:a": str(number)},
        )
        for number in range(2)
    )
    assert unlike(one, other, CARD) == ["array:a"]


def test_arrays_with_times_in_them_do_not_count(make_record):
    card = msgspec.structs.replace(CARD, clock_arrays=("a",))
    one, other = (
        make_record(0, digests={"array:a": str(number), "array:b": str(number)})
        for number in range(2)
    )
    assert unlike(one, other, card) == ["array:b"]


def test_digests_of_arrays_and_pictures_are_those_of_the_files(make_record, tmp_path):
    score = Score(
        metrics={},
        arrays={"a": np.arange(6.0).reshape(2, 3)[:, ::2], "b": np.array(True)},
        images={"grey": np.eye(4, dtype=np.uint8), "colour": np.ones((2, 3, 3), dtype=np.uint8)},
    )
    result = Result(status="ok")
    save_files(score, tmp_path, result)
    assert sorted(result.digests) == ["array:a", "array:b", "image:colour", "image:grey"]
    assert len(set(result.digests.values())) == 4
    old = make_record(0, arrays=result.arrays, images=result.images)
    assert digests_of(old, tmp_path) == result.digests, "a record of an older version has none"


def test_a_renewed_record_is_read_as_long_as_it_says_what_its_run_said(make_record):
    record = renewed(make_record(0), attempt=3)
    assert decode_record(encode_record(record)) == record
    moved = msgspec.structs.replace(record, provenance=record.provenance | {"bench_git": {}})
    assert decode_record(encode_record(moved)) == moved, "which code it was is said anew"


@pytest.mark.parametrize(
    "fields",
    [
        {"metrics": {"acc": 51.0, "none": None}},
        {"curve": []},
        {"cost": {"solve_s": 1.0}},
        {"key": "e" * 32},
        {"provenance": {"versions": {"torch": "3"}}},
        {"warnings": ["no"]},
    ],
)
def test_a_renewed_record_that_says_something_else_is_refused(make_record, fields):
    with pytest.raises(RecordError, match="differs from what that run recorded"):
        encode_record(msgspec.structs.replace(renewed(make_record(0)), **fields))


def test_a_store_leaves_out_renewed_records_that_contradict_their_run(store, make_record):
    run = make_record(0)
    store.write(run)
    store.write(renewed(make_record(0, metrics={"acc": 99.0, "none": None})))
    assert [brief.key for brief in store.briefs()] == [run.key]
    assert "differs from what that run recorded" in store.damaged[0].reason


# Proofs and withdrawals -----------------------------------------------------------


def proof(**fields):
    return Proof(
        **{
            "change": change_of("pair", "old", "new"),
            "track": "t",
            "task": "k",
            "preset": "default",
            "method": "m",
            "machine": {"cpu_class": "here", "kernels": {}},
            "old": {"bench": "c"},
            "sample": ["v seed 0"],
            "differs": {},
            **fields,
        }
    )


def test_a_run_that_a_renewal_names_is_read_once_and_not_at_every_look(
    store, make_record, monkeypatch
):
    for seed in range(20):
        store.write(make_record(seed))
        store.write(renewed(make_record(seed)))
    loads, load = [], Store.load
    monkeypatch.setattr(
        Store, "load", lambda self, place: (loads.append(place), load(self, place))[1]
    )
    assert len(Store(store.root).briefs()) == 40
    assert len(loads) == 20
    store.write(make_record(20))
    assert len(Store(store.root).briefs()) == 41
    assert len(loads) == 20, "no renewal names the new one"


def test_a_proof_is_found_again_for_its_change_and_class_alone(tmp_path):
    made = proof()
    write_proof(tmp_path, made)
    assert read_proof(tmp_path, made.name) == made
    assert read_proof(tmp_path, proof(machine={"cpu_class": "there"}).name) is None
    assert read_proof(tmp_path, proof(change=change_of("pair", "old", "newer")).name) is None


def test_what_is_withdrawn_no_longer_counts_in_any_folder_it_is_carried_to(
    store, make_record, tmp_path
):
    record = renewed(make_record(0))
    store.write(record)
    other = Store(tmp_path / "other")
    other.open_for_writing()
    other.write(renewed(make_record(0)))
    assert withdraw(store.root, record.renewed.proofs, record.id, ["acc"], "2026-01-01") == 1
    assert withdraw(store.root, record.renewed.proofs, record.id, ["acc"], "2026-01-02") == 0
    assert (store.briefs(), list(store.withdrawn)) == ([], [record.id])
    assert len(other.briefs()) == 1
    assert carry_proofs(store.root, other.root, dry_run=True) == 1
    assert carry_proofs(store.root, other.root, dry_run=False) == 1
    assert carry_proofs(store.root, other.root, dry_run=False) == 0
    assert other.briefs() == []


def test_a_withdrawal_that_cannot_be_read_withdraws_all_the_same(tmp_path):
    withdraw(tmp_path, ["0123456789abcdef-01234567"], "a", ["acc"], "2026-01-01")
    next(tmp_path.glob("renewals/*")).write_text("{")
    assert list(withdrawals(tmp_path)) == ["0123456789abcdef"]


def test_a_night_checks_renewed_records_first_and_one_of_each_renewal(make_record):
    records = [make_record(seed) for seed in range(40)]
    records += [renewed(make_record(seed)) for seed in range(40, 50)]
    for day in range(CHECKED):
        night = date(2026, 2, 1) + timedelta(days=day)
        first, others = to_check(records, night)
        assert first, "whatever the night draws"
        assert all(record.renewed for record in first)
        assert not any(record.renewed for record in others)
        unchecked = [record for record in records if record.renewed and record not in first]
        again, _ = to_check(records, night, {record.id for record in unchecked})
        assert set(map(id, again)) <= set(map(id, first))


def test_a_check_that_comes_out_different_withdraws_and_one_that_was_killed_does_not(
    make_record, tmp_path
):
    before = renewed(make_record(0))
    killed = check_of(before, make_record(0, status="timeout"), CARD)
    assert (killed.same, withdrawn(tmp_path, [killed], "2026-01-01")) == (False, [])
    same = check_of(before, make_record(0), CARD)
    assert (same.same, withdrawn(tmp_path, [same], "2026-01-01")) == (True, [])
    other = check_of(before, make_record(0, curve=[]), CARD)
    assert (other.same, other.other) == (False, ["curve"])
    assert "its renewal is withdrawn" in withdrawn(tmp_path, [other], "2026-01-01")[0]
    assert json.loads(next(tmp_path.glob("renewals/*")).read_text())["differs"] == ["curve"]


# Samples and old code ---------------------------------------------------------------


@pytest.fixture
def group(make_record):
    def made(code, seeds=range(9), form="stacked"):
        records = [make_record(seed, variant=name) for seed in seeds for name in "abcdef"]
        spec = SimpleNamespace(track="t", task="k", preset="default", form=form)
        cell = SimpleNamespace(spec=spec, reference="")
        return SimpleNamespace(cell=cell, new={"m": code}, records=records)

    return made


def test_another_new_code_draws_another_sample(group):
    drawn = [draw([group(f"code {number}")])[0] for number in range(20)]
    assert len({(sample.variants, sample.seeds) for sample in drawn}) > 10
    assert all(len(sample.variants) == 1 and len(set(sample.seeds)) == 2 for sample in drawn)
    again = draw([group("code 0")])[0]
    assert (again.variants, again.seeds) == (drawn[0].variants, drawn[0].seeds)


@pytest.mark.parametrize("form", ["stacked", "single"])
def test_a_seed_of_which_a_group_has_no_record_is_not_drawn_for_it(group, form):
    for number in range(20):
        code = f"code {number}"
        whole, part = draw([group(code, form=form), group(code, (0, 4, 7), form)])
        assert set(part.seeds) <= {0, 4, 7}
        assert len(part.seeds) == len(whole.seeds)
        assert part.seeds == whole.seeds or not set(whole.seeds) <= {0, 4, 7}


def test_without_git_or_a_repository_that_is_said(tmp_path, monkeypatch):
    with pytest.raises(NoOldCode, match="lies in no git repository"):
        repository(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoOldCode, match="there is no git here"):
        git(tmp_path, "status")


def test_old_code_that_cannot_be_imported_or_that_another_bench_hides_is_said(tmp_path):
    (tmp_path / "empty").mkdir()
    code = Code(bench=tmp_path / "empty", said="the code of 0123")
    with pytest.raises(NoOldCode, match=r"imports bench from .* and not from .* the code of 0123"):
        Runner(tmp_path).run(code, ["run"], tmp_path / "results", lambda _: None)
    (tmp_path / "broken" / "bench").mkdir(parents=True)
    (tmp_path / "broken" / "bench" / "__init__.py").write_text("import nothing_of_the_kind\n")
    code = Code(bench=tmp_path / "broken", said="the code of 4567")
    with pytest.raises(NoOldCode, match=r"the code of 4567 can't be imported here: ModuleNotFound"):
        Runner(tmp_path).run(code, ["run"], tmp_path / "results", lambda _: None)
