"""What the package says of itself: its metadata, one version everywhere, and a page for the package
index without links that lead nowhere.
"""

from __future__ import annotations

import importlib.util
import re
import tomllib
from pathlib import Path

import yaml
from packaging.version import Version
from trove_classifiers import classifiers

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def built(repository: str) -> dict:
    """The metadata that are made at the build, where the repository has this address."""
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    metadata = {}
    module.Address(str(ROOT), {"repository": repository}).update(metadata)
    assert set(metadata) == set(PROJECT["dynamic"])
    return metadata


def test_one_variable_fills_every_address_of_the_package():
    urls = built("https://code.example/us/bench/")["urls"]
    assert {"Repository", "Documentation", "Changelog", "Issues"} <= set(urls)
    assert all(url.startswith("https://code.example/us/bench") for url in urls.values())
    assert not [url for url in urls.values() if "//" in url.removeprefix("https://")]


def test_without_an_address_the_package_names_none():
    assert built("")["urls"] == {}


def test_every_link_of_the_page_on_the_package_index_is_absolute_once_there_is_an_address():
    text = built("https://code.example/us/bench")["readme"]["text"]
    targets = re.findall(r"\]\(([^)\s]+)", text) + re.findall(r'\bsrc(?:set)?="([^"]+)', text)
    assert len(targets) > 20
    assert [target for target in targets if not target.startswith(("https://", "#"))] == []
    files = {
        target.partition("/main/")[2].partition("#")[0] for target in targets if "/main/" in target
    }
    assert [name for name in files if not (ROOT / name).exists()] == []


def test_without_an_address_the_page_links_to_nothing_in_the_repository_and_loses_no_word():
    text, page = built("")["readme"]["text"], (ROOT / "README.md").read_text()
    targets = re.findall(r"\]\(([^)\s]+)", text) + re.findall(r'\bsrc(?:set)?="([^"]+)', text)
    assert [target for target in targets if not target.startswith(("https://", "#"))] == []
    labels = [label for label, target in re.findall(r"(?<!!)\[([^\]]+)\]\(([^)\s]+)\)", page)]
    assert labels
    assert [label for label in labels if label not in text] == []


def test_every_classifier_is_one_that_the_package_index_knows():
    assert [name for name in PROJECT["classifiers"] if name not in classifiers] == []


def test_the_oldest_python_is_the_same_wherever_it_is_named():
    oldest = PROJECT["requires-python"].removeprefix(">=")
    named = [
        name.rpartition(" ")[2] for name in PROJECT["classifiers"] if re.search(r":: 3\.\d+$", name)
    ]
    assert named[0] == oldest
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
    tested = {
        step["with"]["python-version"]
        for job in workflow["jobs"].values()
        for step in job["steps"]
        if "setup-python" in step.get("uses", "")
    }
    assert tested == {named[0], named[-1]}


def test_the_citation_names_the_last_release_and_the_package_is_that_or_one_on_the_way():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    headings = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    unreleased, last = (
        headings[0] == "Unreleased",
        next(one for one in headings if one[0].isdigit()),
    )
    assert citation["version"] == last
    version = Version(PROJECT["version"])
    assert version.is_devrelease == unreleased
    assert version >= Version(last)


def test_what_breaks_plugins_or_records_goes_into_a_new_minor_version():
    text = (ROOT / "CHANGELOG.md").read_text()
    sections = re.findall(r"^## \[(.+?)\](.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    if sections[0][0] == "Unreleased" and "### Breaking changes" in sections[0][1]:
        version, last = Version(PROJECT["version"]), Version(sections[1][0])
        assert version.release[:2] > last.release[:2]


def test_the_citation_names_the_authors_of_the_package():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert [author["name"] for author in citation["authors"]] == [
        author["name"] for author in PROJECT["authors"]
    ]
