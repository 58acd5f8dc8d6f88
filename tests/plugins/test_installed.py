"""What is installed is read as ``importlib.metadata`` reads it, without importing that."""

from __future__ import annotations

import importlib.metadata
import sys

import pytest

from bench.plugins.installed import brings_plugins, folders, version_of


@pytest.fixture
def site(tmp_path, monkeypatch):
    """Return a folder at the head of the path, and have it read anew."""
    monkeypatch.syspath_prepend(str(tmp_path))
    folders.cache_clear()
    yield tmp_path
    folders.cache_clear()


def test_the_version_of_everything_here_is_what_its_page_says():
    folders.cache_clear()
    names = {item.metadata["Name"] for item in importlib.metadata.distributions()}
    assert len(names) > 20
    assert {name: version_of(name) for name in names} == {
        name: importlib.metadata.version(name) for name in names
    }
    assert version_of("no-such-thing-at-all") is None


@pytest.mark.parametrize(
    ("folder", "page", "asked"),
    [
        ("My_Own.Thing-1.2.dist-info", "METADATA", "my-own-thing"),
        ("my_own_thing-1.2-py3.11.egg-info", "PKG-INFO", "My.Own_Thing"),
    ],
)
def test_a_name_is_found_however_it_is_written(folder, page, asked, site):
    (site / folder).mkdir()
    (site / folder / page).write_text(
        "Metadata-Version: 2.1\nName: x\nVersion: 1.2+local\n\nVersion: 9\n"
    )
    assert version_of(asked) == "1.2+local"


def test_the_first_on_the_path_counts(site, tmp_path_factory, monkeypatch):
    later = tmp_path_factory.mktemp("later")
    for place, version in ((site, "1"), (later, "2")):
        (place / f"twice-{version}.dist-info").mkdir()
        (place / f"twice-{version}.dist-info" / "METADATA").write_text(f"Version: {version}\n")
    monkeypatch.setattr(sys, "path", [*sys.path, str(later)])
    assert version_of("twice") == "1" == importlib.metadata.version("twice")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("[bench]\nmine = my_package\n", True),
        ("[console_scripts]\nx = y:z\n\n  [ bench ]\nmine = my_package\n", True),
        ("[console_scripts]\nbench = bench.cli:main\n", False),
        ("[bench_more]\nmine = my_package\n", False),
    ],
)
def test_a_group_of_entry_points_is_seen(text, found, site):
    (site / "mine-1.dist-info").mkdir()
    (site / "mine-1.dist-info" / "entry_points.txt").write_text(text)
    assert brings_plugins() is found


@pytest.mark.parametrize("name", ["old.egg", "old.egg-info", "archive.zip"])
def test_what_is_no_plain_folder_is_left_to_the_library(name, site, monkeypatch):
    (site / name).write_bytes(b"")
    if name.endswith(".zip"):
        monkeypatch.syspath_prepend(str(site / name))
    assert folders(tuple(sys.path)) is None
    assert brings_plugins()
    assert version_of("torch") == importlib.metadata.version("torch")


def test_a_finder_of_its_own_is_asked_through_the_library(site, monkeypatch):
    class Finder:
        def find_spec(self, *_):
            return None

        def find_distributions(self, *_):
            return iter(())

    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Finder()])
    assert folders(tuple(sys.path)) is None
