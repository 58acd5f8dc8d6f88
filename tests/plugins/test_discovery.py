"""Every way in which a plugin is found, and what a broken one costs: a row, never the others."""

from __future__ import annotations

import ast
import importlib
import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import bench
from bench.cards import Preset
from bench.errors import PluginError, UsageError
from bench.plugins import aside
from bench.plugins import index as index_module
from bench.plugins.index import Index
from bench.plugins.registry import Registry
from bench.plugins.types import type_from_text, type_to_text

ROOT = Path(bench.__file__).parents[1]

METHOD = """
from typing import ClassVar
from bench import Method, MethodCard

class Mine(Method):
    '''A method.'''
    card: ClassVar = MethodCard(name={name!r}, title="Mine", track={track!r})
    lam: float = 3.0

    def solve(self, problem, run):
        return None
"""


@pytest.fixture(autouse=True)
def nothing_configured(tmp_path, monkeypatch):
    """A working folder without pyproject.toml above it, and no settings of the developer's."""
    monkeypatch.chdir(tmp_path)
    for name in ("BENCH_PLUGINS", "BENCH_STRICT_PLUGINS", "BENCH_DISABLE_PLUGINS"):
        monkeypatch.delenv(name, raising=False)


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text))
    return path


def method(path, name="mine", track="my-track"):
    return write(path, METHOD.format(name=name, track=track))


def names(registry, kind="method", track="my-track"):
    return [entry.identity for entry in registry.rows(kind) if entry.track == track]


# Ways in --------------------------------------------------------------------------


def test_rooms_of_a_folder_are_found_and_private_files_are_not(tmp_path):
    method(tmp_path / "b" / "methods" / "deep" / "er" / "one.py", "one")
    method(tmp_path / "b" / "methods" / "_base.py", "hidden")
    method(tmp_path / "b" / "methods" / "_more" / "two.py", "hidden-too")
    registry = Registry(paths=[str(tmp_path / "b")])
    assert names(registry) == ["my-track/one"]
    assert registry.broken == []
    assert registry.get("method", "my-track/one").source == str(tmp_path / "b")


def test_a_single_file_is_a_plugin(tmp_path):
    registry = Registry(paths=[str(method(tmp_path / "single.py"))])
    entry = registry.one("method", "mine")
    assert (entry.identity, entry.params["lam"].default, entry.card.title) == (
        "my-track/mine",
        3.0,
        "Mine",
    )


def test_a_folder_of_files_is_as_many_plugins(tmp_path):
    method(tmp_path / "f" / "one.py", "one")
    method(tmp_path / "f" / "two.py", "two")
    method(tmp_path / "f" / "_not.py", "three")
    assert names(Registry(paths=[str(tmp_path / "f")])) == ["my-track/one", "my-track/two"]


HOOKED = """
from pathlib import Path
from typing import ClassVar
from bench import Method, MethodCard, hookimpl

class ByClass(Method):
    card: ClassVar = MethodCard(name="by-class", title="t", track="my-track")

class ByText(Method):
    card: ClassVar = MethodCard(name="by-text", title="t", track="my-track")

class Silent(Method):
    card: ClassVar = MethodCard(name="silent", title="t", track="my-track")

@hookimpl
def bench_methods(register):
    register(ByClass)
    register(__name__ + ":ByText")
    register(Path(__file__).parent / "other" / "by_path.py")
"""


def test_a_file_with_hooks_registers_classes_texts_and_paths_and_only_those(tmp_path):
    method(tmp_path / "other" / "by_path.py", "by-path")
    registry = Registry(paths=[str(write(tmp_path / "hooked.py", HOOKED))])
    assert registry.broken == []
    assert names(registry) == ["my-track/by-class", "my-track/by-path", "my-track/by-text"]


def test_what_a_file_with_hooks_registers_can_be_imported_by_a_run(tmp_path):
    from bench.plugins.source import import_target

    method(tmp_path / "other" / "by_path.py", "by-path")
    registry = Registry(paths=[str(write(tmp_path / "hooked.py", HOOKED))])
    assert {
        name: import_target(registry.one("method", name).target).card.name
        for name in ("by-class", "by-text", "by-path")
    } == {
        "by-class": "by-class",
        "by-text": "by-text",
        "by-path": "by-path",
    }


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Make a distribution with modules and entry points of the group
    ``bench``, and put it on ``sys.path``.
    """

    def call(modules, points, dist="my-plugin"):
        site = tmp_path / f"site-{dist}"
        for name, text in modules.items():
            write(site / name, text)
        info = site / f"{dist.replace('-', '_')}-1.2.dist-info"
        write(info / "METADATA", f"Metadata-Version: 2.1\nName: {dist}\nVersion: 1.2\n")
        write(
            info / "entry_points.txt",
            "[bench]\n" + "".join(f"{name} = {value}\n" for name, value in points.items()),
        )
        monkeypatch.syspath_prepend(str(site))
        importlib.invalidate_caches()
        return site

    yield call
    for name in [name for name in sys.modules if name.startswith(("installed_", "bench_local_"))]:
        del sys.modules[name]


HOOK = (
    "from bench import hookimpl\n\n@hookimpl\ndef bench_methods(register):\n    "
    "register({what!r})\n"
)


def test_an_entry_point_registers_by_name_without_importing_the_methods(install):
    install(
        {
            "installed_a/__init__.py": HOOK.format(what="installed_a.methods"),
            "installed_a/methods.py": METHOD.format(name="installed", track="my-track"),
        },
        {"my-plugin": "installed_a"},
    )
    registry = Registry()
    entry = registry.one("method", "installed")
    assert "my-plugin 1.2" in entry.source
    assert "installed_a.methods" not in sys.modules


def test_an_entry_point_that_names_one_class_registers_just_that(install):
    two = METHOD.format(name="first", track="my-track") + METHOD.format(
        name="second", track="my-track"
    ).replace("class Mine", "class Other")
    install(
        {
            "installed_b/__init__.py": HOOK.format(what="installed_b.methods:Other"),
            "installed_b/methods.py": two,
        },
        {"b": "installed_b"},
    )
    assert names(Registry()) == ["my-track/second"]


def test_plugins_of_the_environment_and_of_pyproject_are_found_together(tmp_path, monkeypatch):
    method(tmp_path / "one.py", "one")
    method(tmp_path / "two.py", "two")
    method(tmp_path / "three.py", "three")
    monkeypatch.setenv("BENCH_PLUGINS", f"{tmp_path / 'one.py'}{os.pathsep}{tmp_path / 'two.py'}")
    write(tmp_path / "pyproject.toml", '[tool.bench]\nplugins = ["three.py"]\n')
    (tmp_path / "below" / "deep").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "below" / "deep")
    assert names(Registry()) == ["my-track/one", "my-track/three", "my-track/two"]


def test_a_path_given_twice_is_one_plugin(tmp_path, monkeypatch):
    file = str(method(tmp_path / "one.py"))
    monkeypatch.setenv("BENCH_PLUGINS", file)
    assert names(Registry(paths=[file])) == ["my-track/mine"]
    assert Registry(paths=[file]).clashes("method") == set()


def test_two_spellings_of_one_path_are_one_plugin(tmp_path):
    method(tmp_path / "one.py")
    (tmp_path / "link.py").symlink_to(tmp_path / "one.py")
    registry = Registry(paths=["one.py", "./one.py", str(tmp_path / "one.py"), "link.py"])
    assert names(registry) == ["my-track/mine"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            '[tool.bench]\nplugin = ["x.py"]\n',
            "sets tool.bench.plugin, which bench does not know; the only key is 'plugins'",
        ),
        (
            '[tool.bench]\nplugins = "x.py"\n',
            "sets tool.bench.plugins to 'x.py'; give a list of paths",
        ),
        ("[tool.bench]\nplugins = [1]\n", "give a list of paths"),
        ('[tool.bench]\nplugins = ["gone.py"]\n', "no plugin at .*gone.py"),
    ],
)
def test_a_slip_in_pyproject_is_a_usage_error_that_names_it(tmp_path, text, message):
    write(tmp_path / "pyproject.toml", text)
    with pytest.raises(UsageError, match=message):
        Registry()


def test_a_pyproject_that_does_not_parse_is_the_affair_of_other_tools(tmp_path):
    write(tmp_path / "pyproject.toml", "[tool.bench\n")
    assert Registry().broken == []


def test_a_path_that_does_not_exist_is_a_usage_error():
    with pytest.raises(UsageError, match="no plugin at 'nowhere'; give a Python file"):
        Registry(paths=["nowhere"])


# Broken plugins ------------------------------------------------------------------------


BREAKAGES = {
    "syntax": ("def f(:\n", "SyntaxError in broken.py, line 1"),
    "card": (METHOD.format(name="Not Kebab", track="my-track"), "is not kebab-case"),
    "field": (METHOD.format(name="mine", track="my-track").replace("title=", "titel="), "titel"),
    "api": (
        METHOD.format(name="mine", track="my-track").replace("title=", "api=99, title="),
        "written for api=99; this version of bench speaks api=1",
    ),
    "hook": (
        "from bench import hookimpl\n\n@hookimpl\ndef bench_methods(register):\n    raise "
        "OSError('the disk is away')\n",
        "OSError: the disk is away",
    ),
    "exit": (
        "from bench import hookimpl\nimport no_such_library\n\n@hookimpl\ndef "
        "bench_methods(register):\n    pass\n",
        "No module named 'no_such_library'",
    ),
    "registers": (
        "from bench import hookimpl\n\n@hookimpl\ndef bench_methods(register):\n    "
        "register('no_such_module:X')\n",
        "no module 'no_such_module' is found",
    ),
    "dynamic": (
        METHOD.format(name="mine", track="my-track").replace('title="Mine"', "title=str(1 / 0)"),
        "ZeroDivisionError",
    ),
    "leaves": (
        METHOD.format(name="mine", track="my-track").replace('title="Mine"', "title=str(1)")
        + "\nimport sys\nsys.exit(0)\n",
        "its import ended the process (exit code 0)",
    ),
    "leaves with a code": (
        METHOD.format(name="mine", track="my-track").replace('title="Mine"', "title=str(1)")
        + "\nimport os\nprint('7')\nos._exit(3)\n",
        "its import ended the process (exit code 3)",
    ),
}


@pytest.mark.parametrize("kind", BREAKAGES)
def test_a_broken_file_is_a_row_that_says_why_and_the_others_live(tmp_path, kind):
    text, message = BREAKAGES[kind]
    broken = write(tmp_path / "broken.py", text)
    registry = Registry(paths=[str(broken), str(method(tmp_path / "fine.py", "fine"))])
    assert names(registry) == ["my-track/fine"]
    assert len(registry.broken) == 1
    assert message in registry.broken[0].error
    assert "broken" in registry.broken[0].name + registry.broken[0].source
    assert any(entry.source == "builtin" for entry in registry.rows("method"))


def test_a_file_that_brings_nothing_is_a_row_and_one_with_hooks_or_in_a_folder_is_not(tmp_path):
    empty, hooks = (
        write(tmp_path / "empty.py", "x = 1\n"),
        write(
            tmp_path / "hooks.py",
            "from bench import hookimpl\n\n@hookimpl\ndef bench_tasks(register):\n    pass\n",
        ),
    )
    folder = method(tmp_path / "folder" / "fine.py", "fine").parent
    write(folder / "helpers.py", "x = 1\n")
    found = Registry(paths=[str(empty), str(hooks), str(folder)]).broken
    assert [(item.name, item.error) for item in found] == [
        ("empty.py", "it holds no class with a card, and no function marked with bench.hookimpl")
    ]


@pytest.mark.parametrize("kind", BREAKAGES)
def test_with_strict_plugins_a_broken_file_is_an_error(tmp_path, monkeypatch, kind):
    monkeypatch.setenv("BENCH_STRICT_PLUGINS", "1")
    broken = write(tmp_path / "broken.py", BREAKAGES[kind][0])
    with pytest.raises((PluginError, OSError, ImportError, SyntaxError)):
        Registry(paths=[str(broken)])


def test_an_entry_point_that_does_not_import_is_a_row_with_its_distribution(install):
    install({"installed_c.py": "import no_such_library\n"}, {"c": "installed_c"}, "bad-plugin")
    registry = Registry()
    assert [(item.name, item.source) for item in registry.broken] == [("c", "bad-plugin 1.2")]
    assert "no_such_library" in registry.broken[0].error


def test_an_entry_point_that_is_disabled_is_neither_a_row_nor_imported(install, monkeypatch):
    install({"installed_d.py": "raise RuntimeError\n"}, {"d": "installed_d"}, "bad-plugin")
    monkeypatch.setenv("BENCH_DISABLE_PLUGINS", "other,d")
    assert Registry().broken == []
    assert "installed_d" not in sys.modules


@pytest.mark.parametrize("kind", ["empty", "text"])
def test_a_path_that_can_hold_no_plugin_is_a_row(tmp_path, kind):
    path = tmp_path / kind
    if kind == "empty":
        path.mkdir()
    else:
        path.write_text("")
    registry = Registry(paths=[str(path)])
    assert [item.name for item in registry.broken] == [kind]


def test_a_broken_plugin_is_named_when_its_method_is_asked_for(tmp_path):
    registry = Registry(paths=[str(write(tmp_path / "my_new.py", "def f(:\n"))])
    with pytest.raises(
        UsageError, match=r"unknown method 'my-new'.*is broken: SyntaxError in my_new.py"
    ):
        registry.one("method", "my-new")


# Names -----------------------------------------------------------------------------------


def test_two_plugins_of_one_identity_are_an_error_when_used_that_names_both(tmp_path):
    one, two = method(tmp_path / "one.py"), method(tmp_path / "two.py")
    method(tmp_path / "three.py", "other")
    registry = Registry(paths=[str(one), str(two), str(tmp_path / "three.py")])
    assert registry.clashes("method") == {"my-track/mine"}
    assert registry.one("method", "other").name == "other"
    with pytest.raises(PluginError) as caught:
        registry.one("method", "mine")
    assert str(one) in str(caught.value)
    assert str(two) in str(caught.value)


def test_a_private_plugin_may_not_quietly_replace_a_built_in_one(tmp_path):
    registry = Registry(paths=[str(method(tmp_path / "one.py", "ce", "noisy-labels"))])
    with pytest.raises(
        PluginError, match=r"two plugins are called method 'noisy-labels/ce': builtin and .*one.py"
    ):
        registry.one("method", "ce")


def test_an_unknown_name_is_an_error_with_near_matches_and_its_origin():
    with pytest.raises(
        UsageError,
        match=r"unknown method 'cee' \(from --method\). Did you mean 'ce'.*Run 'bench list "
        r"methods' for all \d+",
    ):
        Registry().select("method", "cee", None, "--method")


def test_globs_take_short_names_and_identities(mock_folder):
    registry = Registry(paths=[mock_folder])
    assert [entry.name for entry in registry.select("method", "froz*")] == ["frozen"]
    assert [entry.name for entry in registry.select("method", "mock-policy/*")] == [
        "advantage",
        "frozen",
    ]
    assert [entry.name for entry in registry.select("method", "*", "mock-unlearning")] == [
        "descend",
        "downdate",
        "keep",
    ]
    assert [entry.name for entry in registry.select("method", "?eep")] == ["keep"]
    with pytest.raises(UsageError, match="unknown method 'zz"):
        registry.select("method", "zz*")


def test_a_short_name_of_several_tracks_must_be_written_in_full(tmp_path):
    file = write(
        tmp_path / "both.py",
        METHOD.format(name="mine", track="x").replace("'x'", '("track-a", "track-b")'),
    )
    registry = Registry(paths=[str(file)])
    assert [entry.identity for entry in registry.select("method", "mine")] == [
        "track-a/mine",
        "track-b/mine",
    ]
    assert registry.one("method", "track-b/mine").track == "track-b"
    with pytest.raises(
        UsageError,
        match="'mine' names 2 methods: track-a/mine, track-b/mine; write one of them in full",
    ):
        registry.one("method", "mine")
    assert {"track-a", "track-b"} <= set(registry.tracks())


def test_the_references_of_a_task_are_on_its_card_and_name_a_method_or_a_way_of_the_task(
    mock_folder, graph_library
):
    from bench.plugins.source import import_target

    registry = Registry(paths=[mock_folder])
    seen = 0
    for task in registry.rows("task"):
        for reference in task.card.references:
            seen += 1
            if reference.solve:
                assert callable(getattr(import_target(task.target), reference.solve))
            else:
                assert (
                    registry.get("method", f"{task.track}/{reference.name}").name == reference.name
                )
    assert seen >= 9


# Cards from syntax -----------------------------------------------------------------------------


def test_a_card_is_read_without_importing_its_file(tmp_path):
    file = method(tmp_path / "one.py")
    file.write_text("raise SystemExit('imported')\n" + file.read_text())
    assert names(Registry(paths=[str(file)])) == ["my-track/mine"]


STATIC = """
from typing import Annotated, ClassVar, Literal
from bench import Meta, Method, MethodCard

class Mine(Method):
    card: ClassVar = MethodCard(name="mine", title={title}, track="my-track", needs=("env",))
    lam: Annotated[float, Meta(ge=0)] = 3.0
    how: Literal["a", "b"] = "a"
    widths: tuple[int, ...] = (1, 2)
    rate: float | None = None
"""


def test_a_computed_card_is_read_in_a_side_process_and_gives_the_same_entry(tmp_path):
    entries = [
        Registry(paths=[str(write(tmp_path / f"{name}.py", STATIC.format(title=title)))]).one(
            "method", "mine"
        )
        for name, title in (("literal", '"My own"'), ("computed", '"my own".capitalize()'))
    ]
    literal, computed = entries
    assert literal.card == computed.card
    assert literal.params == computed.params
    assert list(literal.params) == ["lam", "how", "widths", "rate"]
    assert "computed" not in {
        name.rpartition(".")[2] for name in sys.modules if name.startswith("bench_local_")
    }


def test_the_side_process_is_asked_once_for_a_file_that_stays_the_same(
    tmp_path, monkeypatch, with_kernels
):
    with_kernels(tmp_path / "cache")
    file = str(write(tmp_path / "computed.py", STATIC.format(title='"my own".capitalize()')))
    calls = []
    real = subprocess.run
    monkeypatch.setattr(aside.subprocess, "run", lambda *a, **b: calls.append(a) or real(*a, **b))
    for _ in range(3):
        assert (
            Registry(paths=[file], index=Index(tmp_path / "cache")).one("method", "mine").card.title
            == "My own"
        )
    assert len(calls) == 1


def test_constants_and_fields_are_followed_to_sibling_files(tmp_path):
    write(
        tmp_path / "b" / "methods" / "_shared.py",
        "from bench import Method\n\nTITLE = 'From afar'\nNAME = TITLE\nLAM = 1.5\n\nclass "
        "Base(Method):\n    lam: float = LAM\n    nu: int = 2\n",
    )
    write(
        tmp_path / "b" / "methods" / "sub" / "one.py",
        """
        from typing import ClassVar
        from bench import MethodCard
        from .._shared import NAME as CALLED, Base

        WIDTHS = (4, 5)

        class Mine(Base):
            card: ClassVar = MethodCard(name="mine", title=CALLED, track="my-track")
            nu: int = 7
            widths: tuple[int, ...] = WIDTHS
        """,
    )
    registry = Registry(paths=[str(tmp_path / "b")])
    assert registry.broken == []
    entry = registry.one("method", "mine")
    assert entry.card.title == "From afar"
    assert {name: param.default for name, param in entry.params.items()} == {
        "lam": 1.5,
        "nu": 7,
        "widths": (4, 5),
    }


def test_a_quotient_and_a_spread_constant_are_read_without_importing(tmp_path, monkeypatch):
    write(
        tmp_path / "b" / "tasks" / "_metrics.py",
        "from bench import Metric\n\nMETRICS = (Metric(name='acc', primary=True), "
        "Metric(name='loss', direction='min'))\n",
    )
    write(
        tmp_path / "b" / "tasks" / "one.py",
        """
        from typing import ClassVar
        from bench import Metric, Preset, Task, TaskCard
        from ._metrics import METRICS

        class Mine(Task):
            card: ClassVar = TaskCard(name="mine", title="Mine", track="my-track", metrics=(Metric(name="first"), *METRICS), presets={'smoke': Preset(variants={'plain': {}})})
            share: float = 2 / 9
        """,
    )
    monkeypatch.setattr(
        "bench.plugins.aside.subprocess.run",
        lambda *_, **__: pytest.fail("a side process was started"),
    )
    entry = Registry(paths=[str(tmp_path / "b")]).one("task", "mine")
    assert [metric.name for metric in entry.card.metrics] == ["first", "acc", "loss"]
    assert entry.params["share"].default == 2 / 9


def test_texts_that_are_added_up_and_types_with_a_name_are_read_without_importing(
    tmp_path, monkeypatch
):
    write(
        tmp_path / "b" / "methods" / "_shared.py",
        "from typing import Literal\n\nHow = Literal['one', 'two']\nUNREAD = 'Not read.'\n"
        "ALSO = f'{UNREAD} Nor this.'\n",
    )
    write(
        tmp_path / "b" / "methods" / "mine.py",
        """
        from typing import Annotated, ClassVar
        from bench import Meta, Method, MethodCard
        from ._shared import ALSO, How

        Share = Annotated[float, Meta(gt=0)]

        class Mine(Method):
            card: ClassVar = MethodCard(
                name="mine", title="Mine", track="my-track", deviates=ALSO + " Nor that."
            )
            how: How | None = "two"
            share: Share = 0.5

            def solve(self, problem, run): ...
        """,
    )
    folder = str(tmp_path / "b")
    with monkeypatch.context() as alone:
        alone.setattr(
            "bench.plugins.aside.subprocess.run",
            lambda *_, **__: pytest.fail("a side process was started"),
        )
        entry = Registry(paths=[folder]).one("method", "mine")
    assert entry.card.deviates == "Not read. Nor this. Nor that."
    found = aside.described(entry.target)["Mine"]
    assert [(name, type_to_text(param.type)) for name, param in entry.params.items()] == [
        (name, type_to_text(type_from_text(text))) for name, (text, *_) in found["params"].items()
    ]


def test_no_built_in_plugin_needs_a_side_process(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "bench.plugins.aside.subprocess.run",
        lambda *_, **__: pytest.fail("a side process was started"),
    )
    assert Registry(index=Index(tmp_path)).broken == []


def test_the_index_says_of_every_built_in_and_mock_plugin_what_its_class_says(
    mock_folder, graph_library
):
    from bench.plugins.source import import_target
    from bench.plugins.types import type_to_text

    registry = Registry(paths=[mock_folder])
    entries = [entry for kind in ("method", "task", "dataset") for entry in registry.rows(kind)]
    assert len(entries) >= 20
    for entry in entries:
        found = import_target(entry.target)
        assert found.card == entry.card
        assert {
            name: (type_to_text(param.type), param.default)
            for name, param in found.schema().items()
        } == {
            name: (type_to_text(param.type), param.default) for name, param in entry.params.items()
        }


SEVERAL = """
from bench import *
from typing import ClassVar
with open("imports.txt", "a") as file:
    print("imported", file=file)

class One(Method):
    '''A method.'''
    card: ClassVar = MethodCard(name="one", title=TITLE, track="my-track")
    lam: float = 3.0

class Two(One):
    '''Another.'''
    card: ClassVar = MethodCard(name="two", title=TITLE, track="my-track")
    beta: int = 1

class Three(Two):
    '''A third.'''
    card: ClassVar = MethodCard(name="three", title=TITLE, track="my-track")
"""


def test_what_a_star_brings_from_bench_is_known_without_an_import(tmp_path):
    text = SEVERAL.replace("TITLE", '"A title"')
    registry = Registry(paths=[str(write(tmp_path / "several.py", text))])
    assert names(registry) == ["my-track/one", "my-track/three", "my-track/two"]
    assert list(registry.one("method", "three").params) == ["lam", "beta"]
    assert not (tmp_path / "imports.txt").exists()


@pytest.mark.parametrize("end", ["", "raise OSError('the disk is away')"])
def test_a_file_whose_cards_are_computed_is_imported_once_for_all_its_classes(tmp_path, end):
    text = SEVERAL.replace("TITLE", '" ".join(["a", "title"])')
    registry = Registry(paths=[str(write(tmp_path / "several.py", text + end))])
    assert (tmp_path / "imports.txt").read_text().count("imported") == 1
    if end:
        assert names(registry) == []
        assert "OSError: the disk is away" in registry.broken[0].error
    else:
        assert names(registry) == ["my-track/one", "my-track/three", "my-track/two"]
        assert list(registry.one("method", "three").params) == ["lam", "beta"]
        assert registry.broken == []


# The cache of the index
# ----------------------------------------------------------------------------


def test_the_index_scans_a_file_again_only_when_it_was_touched(tmp_path, monkeypatch, with_kernels):
    with_kernels(tmp_path / "cache")
    file = method(tmp_path / "one.py", "old")
    scanned = []
    real = index_module.scan_file
    monkeypatch.setattr(
        index_module, "scan_file", lambda path, package: scanned.append(path) or real(path, package)
    )

    def found():
        scanned.clear()
        return names(Registry(paths=[str(file)], index=Index(tmp_path / "cache"))), file in scanned

    assert found() == (["my-track/old"], True)
    assert found() == (["my-track/old"], False)
    method(file, "new-name")
    assert found() == (["my-track/new-name"], True)
    os.utime(file, ns=(1, 1))
    assert found() == (["my-track/new-name"], True)


def test_the_index_is_read_once_a_process_until_its_file_is_another(tmp_path):
    file = method(tmp_path / "one.py")
    first = Index(tmp_path / "cache")
    first.scan(file, "")
    first.save()
    second, third = (Index(tmp_path / "cache").scan(file, "") for _ in range(2))
    assert second is third
    method(file, "new-name")
    changed = Index(tmp_path / "cache")
    changed.scan(file, "")
    assert Index(tmp_path / "cache").scan(file, "") is not second  # it was touched
    changed.save()
    (found,) = Index(tmp_path / "cache").scan(file, "").classes
    assert found.card["name"] == "new-name"


@pytest.mark.parametrize(
    "damage", [b"", b"{", b"[]", b'{"scans": 3, "described": {}}', b"\xff\xfe"]
)
def test_a_corrupted_index_is_ignored_and_written_anew(tmp_path, damage):
    file = method(tmp_path / "one.py")

    def scanned():
        index = Index(tmp_path / "cache")
        found = [item.name for item in index.scan(file, "").classes]
        index.save()
        return found

    scanned()
    (stored,) = (tmp_path / "cache").glob("index-*.json")
    stored.write_bytes(damage)
    assert scanned() == ["Mine"]
    assert set(json.loads(stored.read_bytes())) == {"scans", "described"}


def test_the_index_forgets_files_that_are_gone(tmp_path):
    files = [method(tmp_path / f"{name}.py", name) for name in ("one", "two")]

    def scan(*files):
        index = Index(tmp_path / "cache")
        for file in files:
            index.scan(file, "")
        index.save()
        (stored,) = (tmp_path / "cache").glob("index-*.json")
        return sorted(name.rpartition("/")[2] for name in json.loads(stored.read_bytes())["scans"])

    assert scan(*files) == ["one.py", "two.py"]
    files[0].unlink()
    method(files[1], "new-name")
    assert scan(files[1]) == ["two.py"]


def test_a_cache_folder_that_cannot_be_made_costs_nothing_but_speed(tmp_path):
    (tmp_path / "blocked").write_text("a file")
    assert names(
        Registry(
            paths=[str(method(tmp_path / "one.py"))], index=Index(tmp_path / "blocked" / "cache")
        )
    ) == ["my-track/mine"]


# The rooms
# ------------------------------------------------------------------------------------------


def test_the_rooms_do_not_shadow_installed_packages():
    code = "import datasets; assert callable(datasets.load_dataset); print(datasets.__file__)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr
    assert "site-packages" in done.stdout


@pytest.mark.parametrize("room", ["methods", "tasks", "datasets", "leaderboard"])
def test_no_room_has_an_init_at_its_top(room):
    assert not (ROOT / room / "__init__.py").exists()


def imported(path, package=""):
    """Every module or name that a file imports, relative imports resolved."""
    from bench.plugins.scan import scan_file

    return scan_file(path, package).reaches


@pytest.mark.parametrize("key", ["('a', 'b')", "['a'][0]", "NAME", "NAME.part", "b'a'"])
def test_a_table_whose_keys_are_no_plain_values_is_not_read_from_syntax(key):
    import ast

    from bench.plugins.scan import literal
    from bench.plugins.types import NotStatic

    with pytest.raises(NotStatic):
        literal(ast.parse(f"{{{key}: 1}}", mode="eval").body)
    assert literal(ast.parse("{'a': 1, -2: (3,)}", mode="eval").body) == {"a": 1, -2: [3]}


def test_the_package_imports_no_room():
    for path in (ROOT / "bench").rglob("*.py"):
        parts = path.relative_to(ROOT).with_suffix("").parts
        for name in imported(path, ".".join(parts[:-1])):
            assert not name.startswith(
                tuple(
                    f"bench.builtin.{room}."
                    for room in ("methods", "tasks", "datasets", "leaderboard")
                )
            ), (path, name)


def test_no_room_imports_another():
    rooms = ("methods", "tasks", "datasets", "leaderboard")
    looked = 0
    for room in rooms:
        for path in (ROOT / room).rglob("*.py"):
            looked += 1
            package = ".".join(["bench.builtin", *path.relative_to(ROOT).parent.parts])
            for name in imported(path, package):
                assert not name.startswith(
                    tuple(f"bench.builtin.{other}" for other in rooms if other != room)
                ), (path, name)
                assert name.partition(".")[0] not in {"methods", "tasks", "leaderboard"}, (
                    path,
                    name,
                )
    assert looked >= 8


def test_the_runs_import_neither_torch_nor_a_track_at_module_level():
    def top_level(body):
        for node in body:
            if isinstance(node, ast.If) and "TYPE_CHECKING" not in ast.unparse(node.test):
                yield from top_level(node.body)
            elif isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield f"{node.module}"

    files = [
        path
        for folder in ("runs", "plugins", "executors", "cli")
        for path in (ROOT / "bench" / folder).glob("*.py")
    ]
    assert len(files) >= 15
    for path in files:
        for name in top_level(ast.parse(path.read_text()).body):
            assert name.partition(".")[0] != "torch", path
            assert not name.startswith(("bench.tracks", "bench.training", "bench.builtin.")), (
                path,
                name,
            )


def test_finding_all_plugins_imports_neither_torch_nor_a_plugin():
    code = (
        "import sys; from bench.plugins.registry import Registry; r = Registry(); assert "
        "len(r.rows('method')) > 3, r.broken;print([n for n in sys.modules if n in ('torch', "
        "'sklearn', 'datasets', 'scipy') or n.startswith(('bench.builtin.methods.', "
        "'bench.builtin.tasks.', 'bench.tracks.'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[]", done.stderr + done.stdout


@pytest.mark.parametrize(
    "field",
    [
        {"timeout": float("nan")},
        {"timeout": float("inf")},
        {"timeout": 0.0},
        {"seeds": 0},
        {"seeds": -1},
    ],
)
def test_a_preset_without_a_limit_or_without_seeds_is_refused(field):
    with pytest.raises(ValueError, match=f"a preset has {next(iter(field))}="):
        Preset(variants={"plain": {}}, **field)
