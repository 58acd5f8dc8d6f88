"""Photographs with an attribute, from folders in the layouts of their authors, written here by hand."""

import csv
import sqlite3
from contextlib import closing

import numpy as np
import pytest
import torch
from bench.builtin.datasets.celeba import CelebA
from bench.builtin.datasets.focus import CATEGORIES, LOCATIONS, Focus
from bench.builtin.datasets.waterbirds import Waterbirds
from PIL import Image

from bench.errors import DataUnavailable
from bench.runs.artifacts import Artifacts
from bench.runs.context import Setup

ROWS = 12


def painted(path, row):
    """Write a picture of one colour that tells its row, wider than high."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((10, 16, 3), 20 * row, dtype=np.uint8)).save(path)


def table(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def birds(home, **changes):
    folder = home / "waterbirds"
    for row in range(ROWS):
        painted(folder / "birds" / f"{row}.png", row)
    table(
        folder / "metadata.csv",
        [
            {
                "img_filename": f"birds/{row}.png",
                "y": row % 2,
                "place": row % 3 % 2,
                "split": row // 4,
                **changes,
            }
            for row in range(ROWS)
        ],
    )


def faces(home):
    folder = home / "celeba"
    for row in range(ROWS):
        painted(folder / "img_align_celeba" / f"{row}.png", row)
    signs = [
        {"image_id": f"{row}.png", "Blond_Hair": row % 2 * 2 - 1, "Male": -1} for row in range(ROWS)
    ]
    table(folder / "list_attr_celeba.csv", signs)
    parts = [{"image_id": f"{row}.png", "partition": row // 4} for row in reversed(range(ROWS))]
    table(folder / "list_eval_partition.csv", parts)


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty folder of local datasets."""
    monkeypatch.setenv("BENCH_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def load(tmp_path):
    run = Setup(
        seed=0,
        task="t",
        method="m",
        device=torch.device("cpu"),
        workdir=tmp_path,
        artifacts=Artifacts(tmp_path / "cache"),
    )
    return lambda dataset: dataset.load(run)


@pytest.mark.parametrize(("write", "kind"), [(birds, Waterbirds), (faces, CelebA)])
def test_every_photograph_has_the_label_attribute_and_part_of_its_row(home, load, write, kind):
    write(home)
    found = load(kind(size=8))
    assert found.x.shape == (ROWS, 3, 8, 8)
    assert found.x.dtype == torch.uint8
    assert found.x[:, 0, 0, 0].tolist() == [20 * row for row in range(ROWS)]
    assert found.y.tolist() == [row % 2 for row in range(ROWS)]
    assert found.part.tolist() == [row // 4 for row in range(ROWS)]
    expected = [row % 3 % 2 if kind is Waterbirds else 0 for row in range(ROWS)]
    assert found.attribute.tolist() == expected


@pytest.mark.parametrize("kind", [Waterbirds, CelebA, Focus])
def test_a_folder_that_is_not_there_is_named_with_how_to_have_it(home, load, kind):
    with pytest.raises(DataUnavailable, match=r"there is no folder .*(unpack|put them) "):
        load(kind())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"y": 2}, r"y of .*metadata.csv' is '2' in a row; it should be one of 0, 1"),
        ({"split": 7}, r"split of .* is '7' in a row"),
        ({"img_filename": "birds/none.png"}, r"none.png' can't be read as a picture"),
        ({"img_filename": "metadata.csv"}, r"metadata.csv' can't be read as a picture"),
    ],
)
def test_a_table_that_says_something_else_is_refused_in_a_sentence(home, load, changes, said):
    birds(home, **changes)
    with pytest.raises(DataUnavailable, match=said):
        load(Waterbirds(size=8))


def test_a_table_without_a_column_or_without_rows_is_refused_with_its_name(home, load):
    birds(home)
    path = home / "waterbirds" / "metadata.csv"
    path.write_text("img_filename,y,split\nbirds/0.png,0,0\n")
    with pytest.raises(DataUnavailable, match="has no column 'place'"):
        load(Waterbirds(size=8))
    path.write_text("")
    with pytest.raises(DataUnavailable, match="has no column 'img_filename'"):
        load(Waterbirds(size=8))
    path.unlink()
    with pytest.raises(DataUnavailable, match=r"metadata\.csv' is missing"):
        load(Waterbirds(size=8))


def test_a_face_without_a_part_is_refused_with_its_name(home, load):
    faces(home)
    path = home / "celeba" / "list_eval_partition.csv"
    path.write_text(
        "\n".join(line for line in path.read_text().splitlines() if "3.png" not in line)
    )
    with pytest.raises(DataUnavailable, match=r"has no row of '3.png'"):
        load(CelebA(size=8))


def settings(home, rows):
    folder = home / "focus"
    for row, (name, *_) in enumerate(rows):
        painted(folder / name.lstrip("/"), row)
    with closing(sqlite3.connect(folder / "annotations.db")) as base:
        base.execute(
            "CREATE TABLE annotations (file_name TEXT PRIMARY KEY, category TEXT, time TEXT, "
            "weather TEXT, locations TEXT, humans TEXT)"
        )
        base.executemany("INSERT INTO annotations VALUES (?, ?, ?, ?, ?, 'no')", rows)
        base.commit()


def test_what_of_a_setting_is_uncommon_depends_on_the_category(home, load):
    settings(
        home,
        [
            ("/a/0.png", "car", "day", "sunny", "grass, street"),
            ("/a/1.png", "car", "night", "foggy", "grass, snow"),
            ("/a/2.png", "ship", "day", "cloudy", "water"),
            ("/a/3.png", "ship", "none", "none", "street"),
            ("/a/4.png", "frog", "night", "raining", "water"),
            ("/a/5.png", "dog", "night", "partly cloudy", "none"),
        ],
    )
    found = load(Focus(size=8))
    assert [CATEGORIES[label] for label in found.y] == ["car", "car", "ship", "ship", "frog", "dog"]
    assert found.x[:, 0, 0, 0].tolist() == [20 * row for row in range(6)]
    assert found.uncommon.int().tolist() == [
        [0, 0, 0],
        [1, 1, 1],
        [0, 0, 0],
        [0, 0, 1],
        [0, 1, 0],
        [1, 0, 0],
    ]


def test_every_category_has_locations_in_which_it_is_uncommon_and_others():
    places = frozenset.union(*LOCATIONS.values())
    assert tuple(LOCATIONS) == CATEGORIES
    assert places == {"forest", "grass", "indoors", "rocks", "sand", "street", "snow", "water"}
    assert all(found and found < places for found in LOCATIONS.values())


def test_annotations_that_are_no_database_have_no_rows_or_name_another_thing_are_refused(
    home, load
):
    path = home / "focus" / "annotations.db"
    path.parent.mkdir(parents=True)
    with pytest.raises(DataUnavailable, match="is missing"):
        load(Focus(size=8))
    path.write_text("no database " * 100)
    with pytest.raises(DataUnavailable, match="can't be read"):
        load(Focus(size=8))
    path.unlink()
    settings(home, [("/a/0.png", "tree", "day", "sunny", "grass")])
    with pytest.raises(DataUnavailable, match=r"category of .* is 'tree' in a row"):
        load(Focus(size=8))
    with closing(sqlite3.connect(path)) as base:
        base.execute("DELETE FROM annotations")
        base.commit()
    with pytest.raises(DataUnavailable, match="has no rows"):
        load(Focus(size=8))
