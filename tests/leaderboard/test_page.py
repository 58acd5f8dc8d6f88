"""The page's files: what they hold of records and cards, and that every link leads somewhere."""

import json
import re
from html.parser import HTMLParser
from statistics import mean
from urllib.parse import unquote, urlsplit

import pytest
from bench.builtin.leaderboard._beside import beside
from bench.builtin.leaderboard.board import bench_board, bench_publish
from board_toy import CARDS, SUITE, TASKS, made_up, whole_suite
from page_toy import HOSTILE, NEWEST, contents

from bench.builtin.leaderboard import _page_links, _suite
from bench.cards import MethodCard
from bench.cli import main
from bench.plugins.registry import Registry

for library in ("altair", "vl_convert"):
    pytest.importorskip(library, reason=f"{library} is not installed; run: make install")


class Parts(HTMLParser):
    """Collects the links, ids, headings and tags of a page."""

    def __init__(self, text):
        super().__init__()
        self.links, self.ids, self.tags, self.handlers = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value)
            if name in ("href", "src"):
                self.links.append((tag, value or "", dict(attrs).get("rel", "")))
            if name.startswith("on"):
                self.handlers.append(name)


@pytest.fixture(scope="session")
def pages(page_folder):
    """Name -> text of every HTML file."""
    return {name: data.decode() for name, data in contents(page_folder).items() if ".html" in name}


def publish(folder, records, cards=CARDS, suite=SUITE, **options):
    """Write the page of a small suite, and return its folder."""
    path = folder / "suite-small.toml"
    path.write_text(suite)
    board = bench_board(records, TASKS, {"suite": str(path), "cards": cards})
    out = folder / "out"
    out.mkdir(exist_ok=True)
    bench_publish(board, records, out, {"tasks": TASKS, "cards": cards, "page": True, **options})
    return out


@pytest.fixture(scope="module")
def small_records(tmp_path_factory):
    path = tmp_path_factory.mktemp("small") / "suite-small.toml"
    path.write_text(SUITE)
    return whole_suite(_suite.read_suite(path), TASKS, {"demo": ["null", "m", "n"]})


def test_a_page_a_track_and_a_page_a_method_stand_beside_the_overview(pages):
    assert {"index.html", "about.html", "submit.html", "changes.html", "errata.html"} <= set(pages)
    named = {f"tracks/{name}.html" for name in ("noisy-labels", "selection", "privacy-audit")}
    assert {name for name in pages if name.startswith("tracks/")} == named
    known = {entry.name for entry in Registry().rows("method") if entry.track == "selection"}
    assert {f"methods/{name}.html" for name in known} <= set(pages)


def test_the_same_records_in_any_order_give_the_same_bytes(tmp_path, small_records):
    first = contents(publish(tmp_path, small_records))
    (tmp_path / "out" / "index.html").unlink()
    assert contents(publish(tmp_path, list(reversed(small_records)))) == first


def test_every_link_and_every_anchor_leads_somewhere_and_every_id_stands_once(pages, page_folder):
    parts = {name: Parts(text) for name, text in pages.items()}
    for name, found in parts.items():
        assert len(found.ids) == len(set(found.ids)), name
        for tag, link, rel in found.links:
            if link.startswith("data:"):
                continue
            if link.startswith("https:"):
                assert (tag, rel) == ("a", "noreferrer"), f"{name} asks the network for {link}"
                continue
            target = urlsplit(link)
            assert target.scheme == "", f"{name}: {link}"
            path = (page_folder / name).parent / target.path if target.path else page_folder / name
            assert path.is_file(), f"{name}: {link}"
            if target.fragment:
                there = str(path.resolve().relative_to(page_folder.resolve()))
                assert unquote(target.fragment) in parts[there].ids, f"{name}: {link}"


def test_no_text_of_a_record_or_a_card_becomes_markup(pages):
    for name, text in pages.items():
        found = Parts(text)
        assert found.handlers == [], name
        scripts = text.count("<script")
        assert scripts == text.count('<script src="') + text.count('<script type="text/plain"')
        assert not any(link.startswith("javascript") for _, link, _ in found.links), name
        assert not any("x" == link for tag, link, _ in found.links if tag == "img"), name
    shown = [name for name, text in pages.items() if "&lt;img src=x" in text]
    assert {"tracks/noisy-labels.html", "methods/mixup.html"} <= set(shown)
    assert "x" * 1000 not in pages["tracks/noisy-labels.html"], "a long reason is cut"


def test_no_page_holds_a_control_character_of_a_card(pages):
    for name, text in pages.items():
        assert {character for character in text if not character.isprintable()} == {"\n"}, name
    for name, words in (
        ("methods/elr.html", ("Early", "It holds")),
        ("tracks/privacy-audit.html", ("Privacy", "About")),
    ):
        for word in words:
            assert f"{word} a [31mred   b" in pages[name]


def test_every_page_forbids_what_does_not_lie_beside_it(pages):
    for name, text in pages.items():
        (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', text)
        assert "default-src &#39;none&#39;" in policy, name
        assert "http" not in policy
        assert "unsafe-eval" not in policy


def test_the_overview_says_who_leads_and_by_how_much_in_the_metrics_unit(tmp_path, small_records):
    out = publish(tmp_path, small_records)
    board = json.loads((out / "leaderboard.json").read_text())
    (track,) = board["tracks"]
    rows = [row for row in track["rows"] if row["place"] and row["reference"] != "high"]
    leader = rows[0]["method"]

    def reached(method, task, metric):
        """Return seed -> mean over the variants of a task, by hand."""
        found = {}
        for record in small_records:
            if (record.method, record.task) == (method, task):
                found.setdefault(record.seed, []).append(record.metrics[metric])
        return {seed: mean(values) for seed, values in found.items()}

    text = (out / "index.html").read_text()
    assert f'<b class="leader">{leader}</b>' in text
    amounts = re.findall(r'<span class="amount">([\d.]+)( %)?</span>', text)
    gains = re.findall(r'<span class="gain">([\d.]+)( points)? (higher|lower) than null', text)
    for place, (task, metric, sign, unit, word) in enumerate(
        [("up", "acc", 1, " %", "higher"), ("down", "gap", -1, "", "lower")]
    ):
        mine, low = reached(leader, task, metric), reached("null", task, metric)
        far = mean(sign * (mine[seed] - low[seed]) for seed in mine)
        close = 0.051 if unit else 0.0051
        assert float(amounts[place][0]) == pytest.approx(mean(mine.values()), abs=close)
        assert float(gains[place][0]) == pytest.approx(far, abs=close)
        assert (amounts[place][1], bool(gains[place][1])) == (unit, bool(unit))
        assert gains[place][2] == word


def test_tracks_that_were_not_run_are_named_in_one_sentence_and_lead_nowhere(pages):
    text = pages["index.html"]
    (said,) = re.findall(r"Not run yet, of the suite's tracks: (.*)\.</p>", text)
    absent = said.split(", ")
    assert "Condensation" in absent
    assert "Selection" not in absent
    rows = re.findall(r'<th scope="row" role="rowheader">(.*?)(?:<span|</th>)', text)
    assert len(rows) == 3
    assert all(row.startswith('<a href="tracks/') for row in rows)
    assert "Condensation" not in text.replace(said, "")


def test_method_score_and_place_are_the_first_columns_and_every_column_has_help(pages):
    text = pages["tracks/selection.html"]
    (head,) = re.findall(r'<table id="board".*?<thead>(.*?)</thead>', text, re.DOTALL)
    heads = re.findall(r"<th [^>]*>.*?</th>", head)
    names = [re.sub(r"<[^>]*>|\?", "", one).strip() for one in heads]
    assert names[:3] == ["Method", "Score [95 %]", "#"]
    assert {"Range", "Verdict", "Runs", "GFLOP", "Remarks", "Defaults from"} <= set(names)
    assert any(name.startswith("auc") for name in names), "the metric in its own unit"
    for one in heads:
        (target,) = re.findall(r'popovertarget="([^"]+)"', one)
        assert re.search(rf'<div id="{target}" class="help-text" popover>[^<]{{20,}}</div>', text)


def test_a_track_shows_what_each_dataset_gives_where_the_suite_asks_for_it(
    pages, tmp_path, small_records
):
    assert '<h2 id="datasets">' in pages["tracks/selection.html"]
    out = publish(tmp_path, small_records)
    assert 'id="datasets"' not in (out / "tracks" / "demo.html").read_text()


def test_a_methods_page_holds_its_card_and_its_place_on_every_track(pages):
    text = pages["methods/coteaching.html"]
    for words in (
        "Where it stands",
        "Claim",
        "Deviates",
        "Defaults from",
        "Official code",
        'href="https://arxiv.org/abs/1804.06872"',
        "BibTeX",
        'href="../tracks/noisy-labels.html"',
        "noisy-digits sym40",
    ):
        assert words in text, words


def test_a_methods_page_stays_below_40_kb_whatever_its_card_says(tmp_path):
    text = '<&"\u2603' * 40_000
    tracks = [f"demo{place}" for place in range(40)]
    card = MethodCard(
        name="m",
        title=text,
        track=tuple(tracks),
        paper=text,
        bibtex=text,
        claim=text,
        deviates=text,
        needs=("rate",),
        licence=text[:5000],
    )
    cards = {f"{track}/m": card for track in tracks} | {"demo/m": card}
    records = [
        made_up("demo", "up", f"v{variant}", name, seed, "acc", 50.0 + seed)
        for variant in range(90)
        for name in ("null", "m")
        for seed in range(2)
    ]
    out = publish(tmp_path, records, cards)
    assert (out / "methods" / "m.html").stat().st_size <= 40_000


def test_links_to_repository_and_code_appear_once_the_package_states_an_address(
    tmp_path, monkeypatch, small_records
):
    assert _page_links.file_link("a", "methods/a.py") == ("a", "")
    quiet = publish(tmp_path, small_records, sources={"demo/m": "methods/demo/m.py"})
    assert "https://git.example" not in (quiet / "methods" / "m.html").read_text()
    monkeypatch.setattr(_page_links, "repository", lambda: "https://git.example/lab/bench")
    loud = publish(tmp_path, small_records, sources={"demo/m": "methods/demo/m.py"})
    there = "https://git.example/lab/bench/blob/main/methods/demo/m.py"
    assert f'href="{there}"' in (loud / "methods" / "m.html").read_text()


@pytest.mark.parametrize(
    ("stated", "address"),
    [
        ([], ""),
        (["Issues, https://git.example/issues"], ""),
        (["Repository, https://git.example/lab/bench/"], "https://git.example/lab/bench"),
        (["Repository, javascript:alert(1)"], ""),
        (['Repository, https://git.example/"><script>'], ""),
    ],
)
def test_the_address_of_the_repository_is_the_packages_own(monkeypatch, stated, address):
    import importlib.metadata
    from email.message import Message

    message = Message()
    for line in stated:
        message["Project-URL"] = line
    monkeypatch.setattr(importlib.metadata, "metadata", lambda name: message)
    _page_links.repository.cache_clear()
    try:
        assert _page_links.repository() == address
    finally:
        _page_links.repository.cache_clear()


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("", []),
        ("plain", [("plain", "")]),
        (
            "see arXiv:2007.00151v2, fig. 1",
            [
                ("see ", ""),
                ("arXiv:2007.00151v2", "https://arxiv.org/abs/2007.00151"),
                (", fig. 1", ""),
            ],
        ),
        (
            "doi:10.1109/TIT.1967.1053964.",
            [
                ("doi:10.1109/TIT.1967.1053964", "https://doi.org/10.1109/TIT.1967.1053964"),
                (".", ""),
            ],
        ),
        (
            "(https://a.example/b?c=d).",
            [("(", ""), ("https://a.example/b?c=d", "https://a.example/b?c=d"), (").", "")],
        ),
        (
            'https://a.example/"onclick=',
            [("https://a.example/", "https://a.example/"), ('"onclick=', "")],
        ),
        ("http://a.example javascript:alert(1)", [("http://a.example javascript:alert(1)", "")]),
    ],
)
def test_only_papers_and_https_addresses_become_links(text, pieces):
    assert _page_links.linked(text) == pieces


def test_names_that_are_no_plain_words_get_pages_of_their_own_and_none_leaves_the_folder():
    names = ["elr", "ELR", "../../x", HOSTILE, "a/b", "", "x" * 500, ".hidden"]
    files = [_page_links.method_page(name) for name in names]
    assert files[0] == "methods/elr.html"
    assert len(set(files)) == len(names)
    assert all(re.fullmatch(r"methods/[a-z0-9_-]{1,90}\.html", file) for file in files)


def test_pages_of_methods_that_are_gone_are_removed_and_other_files_stay(tmp_path, small_records):
    out = publish(tmp_path, small_records)
    assert (out / "methods" / "n.html").is_file()
    (out / "methods" / "mine.html").write_text("<p>mine")
    few = [record for record in small_records if record.method != "n"]
    publish(tmp_path, few, {name: card for name, card in CARDS.items() if name != "demo/n"})
    assert not (out / "methods" / "n.html").exists()
    assert (out / "methods" / "mine.html").is_file()


def as_suite(name):
    return SUITE.replace('name = "small"', f'name = "{name}"')


def test_an_older_board_stays_readable_and_is_marked_superseded(tmp_path, small_records):
    publish(tmp_path, small_records, suite=as_suite("2026.9"))
    out = publish(tmp_path, small_records, suite=as_suite("2026.10"))
    text = (out / "superseded" / "2026.9.html").read_text()
    assert "Superseded" in text
    old = json.loads((out / "superseded" / "2026.9.json").read_text())
    for row in old["tracks"][0]["rows"]:
        if "score" in row:
            assert f"{row['score']:.3f}" in text
            assert row["method"] in text
    assert 'href="superseded/2026.9.html"' in (out / "changes.html").read_text()
    assert not (out / "superseded" / "2026.10.html").exists()
    first = contents(out)
    publish(tmp_path, small_records, suite=as_suite("2026.10"))
    assert contents(out) == first


def test_a_newer_board_and_one_of_another_kind_of_suite_are_not_superseded(tmp_path, small_records):
    publish(tmp_path, small_records, suite=as_suite("2026.10"))
    publish(tmp_path, small_records, suite=as_suite("2026.9"))
    publish(tmp_path, small_records, suite=as_suite("real-1"))
    out = publish(tmp_path, small_records, suite=as_suite("2026.9"))
    assert not (out / "superseded").exists()


def test_a_board_in_a_folder_of_another_is_linked_from_it_and_links_back(tmp_path, small_records):
    out = publish(tmp_path, small_records, suite=as_suite("2026.9"))
    assert "real-1" not in (out / "index.html").read_text()
    inner = tmp_path / "inner"
    inner.mkdir()
    publish(inner, small_records, suite=as_suite("real-1")).rename(out / "real-1")
    for folder, suite in ((out, "2026.9"), (out / "real-1", "real-1")):
        path = tmp_path / "suite-again.toml"
        path.write_text(as_suite(suite))
        board = bench_board(small_records, TASKS, {"suite": str(path), "cards": CARDS})
        bench_publish(board, small_records, folder, {"tasks": TASKS, "cards": CARDS, "page": True})
    assert '<a href="real-1/index.html">Suite real-1</a>' in (out / "index.html").read_text()
    track = next((out / "tracks").glob("*.html")).read_text()
    assert '<a href="../real-1/index.html">Suite real-1</a>' in track
    assert '<a href="../index.html">Suite 2026.9</a>' in (out / "real-1" / "index.html").read_text()


def test_another_version_of_the_package_makes_the_page_anew(tmp_path, small_records, monkeypatch):
    publish(tmp_path, small_records)
    monkeypatch.setattr("bench.__version__", "99.1")
    out = publish(tmp_path, small_records)
    assert "version = {99.1}" in (out / "submit.html").read_text()


def test_what_lies_beside_a_board_and_is_none_is_not_linked(tmp_path, small_records):
    out = publish(tmp_path, small_records, suite=as_suite("2026.9"))
    for name, text in {
        "cut": '{"suite"',
        "list": "[]",
        "pageless": '{"suite": {"name": "x"}}',
    }.items():
        (out / name).mkdir()
        (out / name / "leaderboard.json").write_text(text)
        if name != "pageless":
            (out / name / "index.html").write_text("")
    publish(tmp_path, small_records, suite=as_suite("2026.9"))
    assert "Suite x" not in (out / "index.html").read_text()
    board = {"suite": {"name": "2026.9"}}
    assert beside(out, board) == []


def test_a_damaged_older_board_is_named_and_the_page_is_made(tmp_path, small_records):
    out = publish(tmp_path, small_records, suite=as_suite("2026.9"))
    (out / "superseded").mkdir()
    (out / "superseded" / "2026.1.json").write_text("{")
    board = json.loads((out / "leaderboard.json").read_text())
    said = bench_publish(board, small_records, out, {"tasks": TASKS, "cards": CARDS, "page": True})
    assert any("2026.1.json is no board and is not shown" in line for line in said)
    assert (out / "changes.html").is_file()


def test_what_changed_names_tasks_variants_and_anchors_that_came_and_went():
    from bench.builtin.leaderboard import _page_news

    found = dict(_page_news.news("2026.4")["changes"])
    assert "wheel-star is new" in found["graph-ood"]
    assert "unlearn-worst no longer has worst" in found["unlearning-privacy"]
    (anchor,) = [line for line in found["policy-optimization"] if "upper anchor" in line]
    assert anchor == "the upper anchor of clock-arithmetic is supervised instead of skilled"
    assert _page_news.news("2026.1")["before"] == ""
    assert _page_news.news("nothing-like-it")["before"] == ""


def test_errata_name_tracks_methods_and_pages_that_there_are():
    import tomllib
    from pathlib import Path

    root = Path(__file__).resolve().parents[2]
    held = tomllib.loads((root / "leaderboard" / "errata.toml").read_text())["withdrawn"]
    registry = Registry()
    tracks = {entry.track for entry in registry.rows("task")}
    methods = {entry.name for entry in registry.rows("method")} | {"retrain"}
    assert len({one["id"] for one in held}) == len(held)
    for one in held:
        assert set(one["tracks"]) <= tracks, one["id"]
        assert set(one["methods"]) <= methods, one["id"]
        assert (root / one["docs"]).is_file(), one["id"]
        assert all(one[part].strip() for part in ("said", "where", "why", "holds", "since"))
    words = " ".join(one["title"] for one in held)
    assert all(name in words for name in ("DCC", "D2S", "L2R-GNN"))


def test_every_built_in_track_has_a_page_in_the_docs():
    from pathlib import Path

    root = Path(__file__).resolve().parents[2]
    pages = _page_links.docs_pages()
    suite = _suite.read_suite(_suite.find(None))
    assert set(suite.tracks) <= set(pages)
    assert all((root / "docs" / "tracks" / f"{page}.md").is_file() for page in pages.values())


def test_commands_on_the_page_of_submissions_have_the_options_that_they_name(pages):
    from click.testing import CliRunner

    shown = re.findall(r"<code>bench ([^<]+)</code>", pages["submit.html"])
    assert len(shown) >= 5
    for command in shown:
        words = command.split()
        verbs = words[:2] if words[0] == "results" else words[:1]
        told = CliRunner().invoke(main, [*verbs, "--help"])
        assert told.exit_code == 0, command
        for option in (word for word in words if word.startswith("--")):
            assert option in told.output, command


def test_the_page_is_of_the_newest_suite_and_says_its_tier(pages):
    for name, text in pages.items():
        assert re.search(
            rf"<title>[^<]+ · suite {re.escape(NEWEST)}, tier default</title>", text
        ), name
