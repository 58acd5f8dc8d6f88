"""Records and their pictures, as ``bench show`` gives them."""

from __future__ import annotations

import io
import json
import re

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def record(bench):
    """The record of a small run that has three pictures."""
    found = bench(
        "run",
        "--device",
        "cpu",
        "--preset",
        "smoke",
        "--json",
        "--executor",
        "inline",
        "--method",
        "elr",
        "--task",
        "noisy-digits",
    )
    shown = json.loads(found.out)["records"][0]
    return {**shown, "id": f"{shown['cell'][:16]}-{shown['key'][:16]}-1"}


def test_a_record_is_shown_by_the_beginning_of_its_id_and_by_its_file(bench, record):
    text = bench("show", record["id"][:8]).out
    assert "noisy-labels/elr[" in text
    assert f"{record['metrics']['acc_last']:.6g}" in text
    for line in ("acc_last *", "transitions  428 x 462", "suspicious", "clean_score  F32     300"):
        assert line in text
    file = bench.results / "records" / record["cell"][:2] / f"{record['id']}.json"
    from_file = bench("show", file, "--results", "elsewhere").out
    assert from_file.partition("picture ")[0] == text.partition("picture ")[0]
    assert str(bench.results / "files" / record["id"] / "image-2.png") in from_file


def test_the_document_of_a_record_names_its_pictures_and_arrays(bench, record):
    shown = json.loads(bench("show", record["id"], "--json").out)
    assert shown["record"]["metrics"] == record["metrics"]
    assert list(shown["images"]) == ["transitions", "epochs", "suspicious"]
    assert all(picture["here"] for picture in shown["images"].values())
    assert shown["arrays"] == {
        "clean_score": {"dtype": "F32", "shape": [300]},
        "transitions": {"dtype": "I64", "shape": [10, 10]},
    }


def test_a_picture_is_written_under_its_name_or_another(bench, record, tmp_path):
    assert (
        bench(
            "show",
            record["id"],
            "--image",
            "epochs=a/one.png",
            "--image",
            tmp_path / "suspicious.png",
        ).code
        == 0
    )
    stored = {
        picture.name: picture.read_bytes()
        for picture in (bench.results / "files" / record["id"]).glob("*.png")
    }
    assert (tmp_path / "a" / "one.png").read_bytes() == stored["image-1.png"]
    assert (tmp_path / "suspicious.png").read_bytes() == stored["image-2.png"]
    assert np.asarray(Image.open(io.BytesIO(stored["image-1.png"]))).shape == (340, 560, 3)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--image", "epoch=x.png"), 2, "Did you mean 'epochs'"),
        (("--image", "x.png"), 2, "They are transitions, epochs, suspicious"),
        (("--image", "epochs="), 2, "write --image NAME=FILE"),
        (("--image", "epochs=taken/x.png"), 4, "can't be written to 'taken/x.png'"),
        (("--bibtex",), 2, "is a record, and --bibtex is for"),
    ],
)
def test_what_a_record_does_not_have_is_said_in_a_sentence(
    bench, record, tmp_path, arguments, code, said
):
    (tmp_path / "taken").write_text("mine")
    found = bench("show", record["id"], *arguments)
    assert found.code == code
    assert said in found.err
    assert len(found.err.splitlines()) == 1


def test_pictures_of_cards_of_unknown_records_and_of_exports_are_refused(bench, record):
    assert "--image needs a record" in bench("show", "elr", "--image", "x.png").err
    assert "begins with '0123456789'" in bench("show", "0123456789").err
    bench("results", "export", "carried/all.jsonl")
    found = bench("show", record["id"], "--results", "carried", "--image", "epochs=x.png")
    assert found.code == 4
    assert "an export carries records without their pictures" in found.err
    assert "not here" in bench("show", record["id"], "--results", "carried").out


@pytest.mark.parametrize("left", [0, 40, -8], ids=["nothing", "its head", "all but the end"])
def test_a_damaged_file_of_a_record_is_said_and_nothing_of_it_is_exported(bench, record, left):
    folder = bench.results / "files" / record["id"]
    arrays, picture = folder / "arrays.safetensors", folder / "image-1.png"
    for file in (arrays, picture):
        file.write_bytes(file.read_bytes()[:left])
    found = bench("show", record["id"])
    assert found.code == 0
    assert "are damaged or cut off; restore the file from a copy" in found.err
    assert "damaged" in next(line for line in found.out.splitlines() if "image-1.png" in line)
    found = bench("show", record["id"], "--json")
    assert json.loads(found.out)["arrays"] == {}
    found = bench("show", record["id"], "--image", "epochs=x.png")
    assert (found.code, len(found.err.splitlines())) == (4, 1)
    assert "is no whole PNG file" in found.err
    assert not (bench.results.parent / "x.png").exists()


def test_text_of_a_record_reaches_no_terminal_raw(bench, record):
    file = bench.results / "records" / record["cell"][:2] / f"{record['id']}.json"
    document = json.loads(file.read_bytes())
    document["provenance"]["versions"]["torch"] = "2\x1b]0;title\x07"
    document["key"] = document["key"][::-1]
    file.write_text(json.dumps(document))
    for words in (("why", record["cell"][:16]), ("show", record["cell"][:16])):
        found = bench(*words)
        assert found.code == 0
        assert "\x1b" not in found.out + found.err
    assert "\\x1b]0;title\\x07" in bench("why", record["cell"][:16]).out


def test_a_method_of_several_tracks_is_shown_once_with_all_of_them(bench):
    text = bench("show", "elr").out
    assert text.startswith("method label-errors/elr, noisy-labels/elr\n")
    assert text.count("Early-learning regularisation") == 1
    assert "signal:" in text
    assert [
        found["identity"] for found in json.loads(bench("show", "elr", "--json").out)["found"]
    ] == ["label-errors/elr", "noisy-labels/elr"]


def test_a_method_says_where_its_defaults_come_from_and_what_tune_tries(bench):
    for name, said in (
        ("elr", "chosen here, 2 settings tried"),
        ("gce", "the paper or its authors' code"),
        ("mdt", "chosen here, no settings tried"),
        ("ft", "was not counted"),
    ):
        assert any(
            said in line
            for line in bench("show", name).out.splitlines()
            if line.startswith("defaults from:")
        ), name
    assert "authors' code:     read\n" in bench("show", "elr").out
    assert "--tune tries:      lam 1.0, 3.0, 7.0; beta 0.5, 0.7, 0.9\n" in bench("show", "elr").out
    assert "defaults from:" not in bench("show", "noisy-labels/ce").out  # it has none


def test_a_condensed_set_is_taken_away_whole_or_not_at_all(bench, tmp_path):
    made = bench(
        "run",
        "--device",
        "cpu",
        "--preset",
        "smoke",
        "--json",
        "--executor",
        "inline",
        "--method",
        "random",
        "--task",
        "condense-cl",
    )
    shown = json.loads(made.out)["records"][0]
    identity = f"{shown['cell'][:16]}-{shown['key'][:16]}-1"
    assert bench("show", identity, "--save", tmp_path / "a" / "set").code == 0
    assert sorted(path.name for path in (tmp_path / "a" / "set").rglob("*.*")) == [
        "README.md",
        "set.safetensors",
        "train-00000-of-00001.parquet",
    ]
    again = bench("show", identity, "--save", tmp_path / "a" / "set")
    assert (again.code, "already and not an empty folder" in again.err) == (2, True)
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["set"]
    (tmp_path / "taken").write_text("mine")
    assert bench("show", identity, "--save", tmp_path / "taken" / "set").code == 4
    (bench.results / "files" / identity / "arrays.safetensors").unlink()
    lost = bench("show", identity, "--save", tmp_path / "b")
    assert (lost.code, "arrays of" in lost.err, (tmp_path / "b").exists()) == (4, True, False)


def test_a_track_without_anything_to_take_away_says_so(bench, record, tmp_path):
    found = bench("show", record["id"], "--save", tmp_path / "x")
    assert (
        found.code,
        "nothing to take away from a record of the track 'noisy-labels'" in found.err,
    ) == (2, True)
    assert "--save needs a record" in bench("show", "elr", "--save", tmp_path / "x").err


def test_the_card_of_a_task_says_what_it_judges_by(bench):
    for name, said in (
        ("noisy-digits", "drawn by every seed"),
        ("clock-arithmetic", "fixed by the task"),
        ("noisy-cifar10", "the data's official test part"),
    ):
        assert f"test set:          {said}" in bench("show", name).out


def test_plain_baselines_are_said_to_be_plain_in_lists_and_on_cards(bench):
    assert "plain baseline:    yes" in bench("show", "knn").out
    assert "plain baseline" not in bench("show", "elr").out
    listed = json.loads(bench("list", "methods", "--track", "noisy-labels", "--json").out)[
        "methods"
    ]
    plain = {row["name"] for row in listed if row.get("plain")}
    assert plain == {
        *("ce", "ce-average", "ce-early", "ce-ensemble", "ce-large-batch"),
        *("knn", "random-forest"),
    }
    lines = bench("list", "methods", "--track", "noisy-labels").out.splitlines()
    assert {
        line.split()[0].partition("/")[2] for line in lines if "(plain baseline)" in line
    } == plain


def test_a_reference_of_many_tasks_does_not_name_them_all_in_a_list(bench):
    listed = bench("list", "methods", "--track", "noisy-labels").out
    assert re.search(r"clean-labels .* \d+ tasks, like digits-fit  +high reference", listed)
    assert max(map(len, listed.split("\n"))) < 200


def test_the_parameter_sets_of_papers_are_shown_as_a_run_takes_them(bench):
    lines = bench("show", "imputation/tdm").out.splitlines()
    assert [line.split() for line in lines][-1] == ["paper", "tdm[steps=10000,batch=512]"]
    (found,) = json.loads(bench("show", "imputation/tdm", "--json").out)["found"]
    assert found["settings"] == {"paper": {"steps": 10000, "batch": 512}}
    assert "setting" not in bench("show", "noisy-labels/ce").out


def test_parameter_sets_that_are_no_literals_or_are_inherited_are_shown_too(bench):
    for name in ("dividemix", "dividemix-estimated"):
        (found,) = json.loads(bench("show", name, "--json").out)["found"]
        assert found["settings"]["cifar100-sym20"]["warm_up"] == 0.1
