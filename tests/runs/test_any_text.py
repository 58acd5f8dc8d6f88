"""Whatever a plugin says, and wherever plugins and results lie: a run ends
as a record that every reader can have.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.errors import ParameterError, blaming
from bench.params import Param, check_value
from bench.plugins.registry import Registry
from bench.runs.record import LARGEST, RecordError, decode_record, encode_record
from bench.runs.result import Result, as_text, failed
from bench.texts import encode, readable

TEXT = st.text(st.characters(exclude_categories=()), max_size=40) | st.sampled_from(
    ["\udce9", "\x00\x1b[2J", "x" * 100_000, os.fsdecode(b"\xff\xfe")]
)
HERE = settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    deadline=None,
)


@HERE
@given(text=TEXT, name=TEXT, more=TEXT)
def test_a_record_of_any_texts_is_written_and_read_back(make_record, text, name, more):
    record = make_record(
        not_rankable=text,
        gates={name: True},
        logs=[{"step": 1, more: 0.5}],
        curve=[{"step": 1, text: 1.0}],
        warnings=[text, more],
    )
    record.provenance["method_source"] = more
    made = readable(record)
    assert decode_record(encode_record(made)) == made
    assert json.loads(encode_record(made)) == msgspec.to_builtins(made)


@HERE
@given(text=TEXT, name=TEXT, path=st.binary(min_size=1, max_size=20).map(os.fsdecode))
def test_a_result_of_any_texts_crosses_to_the_driver_with_the_folder_of_its_files(text, name, path):
    result = Result(
        status="ok",
        gates={name: False},
        warnings=[text],
        images={name: "image-0.png"},
        files=path,
        logs=[{"step": 0, name: 1.0}],
    )
    from bench.executors.job_process import _read
    from bench.texts import decode

    line = encode({"results": [as_text(result)]})
    assert b"\n" not in line
    message = encode({"id": "a", "results": _read(line).results})
    found = msgspec.convert(decode(message)["results"], list[Result])[0]
    assert found.files == path
    assert msgspec.json.encode(msgspec.structs.replace(found, files=""))


class _Hostile(OSError, RuntimeError):
    """Raises whatever is asked of it."""

    def __getattribute__(self, name):
        raise KeyError(name)

    def __str__(self):
        raise KeyError

    __repr__ = __str__


class _Unclassed(Exception):
    @property
    def __class__(self):
        raise KeyError


def _circle():
    one, other = ValueError("one"), ValueError("other")
    one.__context__, other.__context__ = other, one
    return one


@pytest.mark.parametrize(
    "make",
    [_Hostile, _Unclassed, _circle, lambda: ExceptionGroup("\udce9", [_Hostile(), _Unclassed()])],
)
def test_an_exception_whose_own_code_raises_is_a_failure_too(make):
    try:
        raise make()
    except Exception as error:
        found = as_text(failed(error))
    assert (found.status, found.error["type"]) == (
        "failed",
        make.__name__ if isinstance(make, type) else found.error["type"],
    )
    assert msgspec.json.encode(found)


@HERE
@given(text=TEXT, note=TEXT)
def test_an_exception_of_any_text_is_a_readable_failure(text, note):
    error = ValueError(text)
    error.add_note(note)
    found = as_text(failed(error))
    assert msgspec.json.encode(found)
    assert found.error["type"] == "ValueError"
    assert len(found.error["message"]) <= 4000


@pytest.mark.parametrize(("code", "said"), [(None, "no code"), (0, "0"), ("enough", "enough")])
def test_the_end_of_the_process_that_a_plugin_calls_for_is_a_failure_that_says_so(code, said):
    try:
        with blaming("the method's solve"):
            raise SystemExit(*([] if code is None else [code]))
    except SystemExit as error:
        found = as_text(failed(error))
    assert found.status == "failed"
    assert found.error["message"] == (
        f"the method's solve failed: it called for the end of the process (SystemExit: {said})"
    )


def test_a_result_that_is_none_says_so():
    found = as_text(Result(status="ok", counters={"forward": "many"}, warnings=["\udce9"]))
    assert found.status == "failed"
    assert "its result can't be recorded" in found.error["message"]


def test_a_record_larger_than_readers_take_is_not_written(make_record):
    with pytest.raises(RecordError, match="a record has at most"):
        encode_record(make_record(not_rankable="x" * LARGEST))


@pytest.mark.parametrize(
    "field",
    ['title="a\\udce9"', 'title="a", paper="\\udce9"', 'title="a", settings={"\\udce9": {}}'],
)
def test_a_card_with_text_that_is_no_utf8_is_broken_and_named(tmp_path, field):
    text = (
        "from typing import ClassVar\nfrom bench import Method, MethodCard\nclass "
        f"A(Method):\n    card: ClassVar = MethodCard(name='a', track='t', {field})\n"
    )
    (tmp_path / "a.py").write_text(text)
    broken = Registry([str(tmp_path / "a.py")]).broken
    assert len(broken) == 1
    assert "card is not valid" in broken[0].error


def test_a_parameter_that_is_no_utf8_is_refused():
    with pytest.raises(ParameterError, match="name takes text in UTF-8"):
        check_value("m", "name", Param(str), "\udce9")
    with pytest.raises(ParameterError, match="names takes text in UTF-8"):
        check_value("m", "names", Param(tuple[str, ...]), ("a", "\udce9"))


PLUGIN = '''
import os, sys, warnings
from typing import Annotated, Any, ClassVar

import torch

from bench import Case, Method, MethodCard, Metric, Preset, Reference, Score, Task, TaskCard

BAD = os.fsdecode(b"\\xe9")


class Sayer(Method):
    """Says it in every way that a method can."""

    card: ClassVar = MethodCard(name="sayer", title="S\u00e9", track="texts")
    how: str = "ways"

    def solve(self, problem, run):
        if self.how == "raises":
            error = ValueError(f"no {BAD} \\x1b[31mred")
            error.add_note(BAD)
            raise error
        warnings.warn(BAD)
        print("\u00e9", BAD)
        sys.stderr.write("\u00fc" + BAD)
        run.progress(1, BAD)()
        run.log(1, **{BAD: 1.0})
        run.checkpoint({"x": torch.ones(2)})
        assert run.restored()["x"].sum() == 2
        tensors, _ = run.cached({"what": "it"}, build)
        return float(tensors["x"].sum())


def build(run):
    return {"x": torch.ones(3)}


class Asker(Task):
    """Takes any answer."""

    card: ClassVar = TaskCard(
        name="asker", title="A", track="texts", metrics=(Metric(name="got", direction="max", primary=True),),
        presets={"smoke": Preset(variants={"plain": {}}, seeds=1, timeout=60)}, references=(Reference(name="sayer", kind="low"),),
    )

    def prepare(self, run):
        return Case(problems=[0.0], hidden=None)

    def evaluate(self, case, outcomes, run):
        return Score(metrics={"got": outcomes[0].solution}, gates={BAD: True}, not_rankable=BAD, arrays={"a": outcomes[0].kept.get("a", torch.ones(1).numpy())})
'''


@settings(
    max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    names=st.lists(
        st.binary(min_size=1, max_size=12).filter(
            lambda data: not {0, 47} & set(data) and data.strip(b".~")
        ),
        min_size=2,
        max_size=2,
        unique=True,
    )
)
def test_plugins_results_and_cache_lie_in_folders_of_any_name(
    tmp_path_factory, run_plan, monkeypatch, with_kernels, names
):
    home = tmp_path_factory.mktemp("paths")
    plugin, results = (home / os.fsdecode(name) for name in names)
    plugin.mkdir()
    (plugin / "texts.py").write_text(PLUGIN, encoding="utf-8")
    with monkeypatch.context() as patch:
        patch.setenv("BENCH_CACHE", str(with_kernels(results / "cache")))
        found = run_plan(
            paths=[str(plugin / "texts.py")], results=results, track="texts", preset="smoke"
        )
        assert [(record.status, record.error) for record in found.records] == [("ok", None)]
        assert (
            run_plan(paths=[str(plugin)], results=results, track="texts", preset="smoke").records
            == []
        )
    record = decode_record(next(results.glob("records/*/*.json")).read_bytes())
    assert record.warnings == ["UserWarning: \\udce9"]
    assert record.not_rankable == "\\udce9"
    assert (results / "files" / record.id / record.arrays).is_file()


C = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    ("executor", "locale"),
    [
        ("local", C),
        pytest.param("inline", {"PYTHONIOENCODING": "latin-1"}, marks=SLOW),
        pytest.param("inline", C, marks=SLOW),
        pytest.param("local", {"PYTHONIOENCODING": "ascii"}, marks=SLOW),
    ],
)
def test_a_narrow_locale_and_a_folder_that_is_no_utf8_change_nothing(
    tmp_path, executor, locale, with_kernels
):
    home = tmp_path / os.fsdecode(b"h\xe9")
    home.mkdir()
    (home / "texts.py").write_text(PLUGIN, encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "bench",
        "run",
        "--track",
        "texts",
        "--preset",
        "smoke",
        "--plugins",
        "texts.py",
        "--device",
        "cpu",
        "--jobs",
        "1",
    ]
    environment = {**os.environ, "BENCH_CACHE": str(with_kernels(home / "cache")), **locale}
    done = subprocess.run(
        [*command, "--method", "sayer,sayer[how=raises]", "--executor", executor],
        capture_output=True,
        check=False,
        cwd=home,
        env=environment,
    )
    assert (done.returncode, b"UnicodeEncodeError" in done.stderr) == (1, False), done.stderr
    # the debugger's own traceback
    assert (
        b"\x1b[31m" not in re.sub(rb"ValueError: no .*\n", b"", done.stderr) or executor == "inline"
    )
    records = [decode_record(path.read_bytes()) for path in home.glob("results/records/*/*.json")]
    assert {record.status for record in records} == {"ok", "failed"}
    failure = next(record.error for record in records if record.error)
    assert failure.message == "the method's solve failed: no \\udce9 \x1b[31mred"
    for words in (["leaderboard"], ["show", records[0].id]):
        shown = subprocess.run(
            [*command[:3], *words, "--plugins", "texts.py", "--results", "results"],
            capture_output=True,
            check=False,
            cwd=home,
            env=environment,
        )
        assert (shown.returncode, shown.stderr) == (0, b"")
