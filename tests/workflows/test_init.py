"""The proposed field map of an archive."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from scoring import cli
from scoring.errors import RecordError
from scoring.records.field_maps.field_map import FILE_NAME, FieldMap, FieldSource, LabelRule
from scoring.records.field_maps.map_file import parse_field_map
from scoring.records.survey.field_guess import date_formats
from scoring.workflows.init import propose

Write = Callable[..., str]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes files with the given front matter, and returns their folder."""

    def write(*texts: str, body: str = "") -> str:
        folder = tmp_path / "archive"
        folder.mkdir(exist_ok=True)
        for number, text in enumerate(texts):
            (folder / f"{number:03}.md").write_text(f"---\n{text}\n---\n{body}", "utf-8")
        return str(folder)

    return write


def guessed(folder: str) -> FieldMap:
    return parse_field_map(propose(folder).text)


def test_a_link_blog(write: Write) -> None:
    texts = [
        f"title: Rain {number}\ndate: 2021-03-{number:02}\nlink: https://gulls.example/{number}\n"
        f"tags: [sea]\nsource: Gulls\nrating: {1 + number % 5}\nlayout: link"
        for number in range(1, 29)
    ]
    proposal = propose(write(*texts, body="It rains.\n"))
    field_map = parse_field_map(proposal.text)
    assert field_map.fields == {
        "published_at": (FieldSource(name="date", zone="UTC"),),
        "title": (FieldSource(name="title"),),
        "original_url": (FieldSource(name="link"),),
        "provider.name": (FieldSource(name="source"),),
        "provider.domain": (FieldSource("host", "link"),),
        "topics": (FieldSource(name="tags"),),
        "excerpt": (FieldSource("body", "first paragraph"),),
    }
    assert field_map.labels == {"quality": LabelRule("rating", scale=20, min=1, max=5)}
    assert (proposal.labels, proposal.unused) == ({"quality": 28}, ("layout",))
    assert "#  rating: in 100 %, such as 1 to 5" in proposal.text.splitlines()
    assert "#  layout: in 100 %, text, such as link" in proposal.text.splitlines()


@pytest.mark.parametrize(
    ("values", "rule"),
    [
        (["rating: 1", "rating: 10"], LabelRule("rating", scale=10, min=1, max=10)),
        (["rating: 0.5", "rating: 5"], LabelRule("rating", scale=20, step=0.5, min=0.5, max=5)),
        (["score: 12", "score: 87"], LabelRule("score", min=1, max=100)),
        (["score: 12", "score: 870"], LabelRule("score")),
        (["grade: A", "grade: B", "grade: C"], LabelRule("grade", choices={"A": 100, "B": 50, "C": 0})),
        (["stars: '**'", "stars: '*****'"], LabelRule("stars", choices={"*****": 100, "**": 40})),
        (["extra: {rating: 2}", "extra: {rating: 5}"], LabelRule("extra.rating", scale=20, min=1, max=5)),
        (["rating: none", "rating: good"], None),
        (["rating: 4", "rating: 4"], None),
    ],
)
def test_ratings(write: Write, values: list[str], rule: LabelRule | None) -> None:
    field_map = guessed(write(*(f"title: Rain\n{value}" for value in values)))
    assert field_map.labels == ({} if rule is None else {"quality": rule})


@pytest.mark.parametrize(
    ("values", "rule"),
    [
        (["draft: true", "draft: false"], LabelRule("draft", invert=True)),
        (["published: true", "published: false"], LabelRule("published")),
        (
            ["status: published", "status: draft"],
            LabelRule("status", choices={"published": True, "draft": False}),
        ),
        (["published: 2020", "published: 2021"], None),
        (["status: one", "status: two"], None),
    ],
)
def test_whether_it_is_published(write: Write, values: list[str], rule: LabelRule | None) -> None:
    field_map = guessed(write(*(f"title: Rain\n{value}" for value in values)))
    assert field_map.labels == ({} if rule is None else {"published": rule})


def test_a_year_is_a_date(write: Write) -> None:
    field_map = guessed(write("title: Rain\npublished: 2020", "title: Sun\npublished: 2021"))
    assert field_map.fields["published_at"] == (FieldSource(name="published", formats=("%Y",), zone="UTC"),)


def test_keys_of_any_name_may_hold_dates_and_addresses(write: Write) -> None:
    texts = [
        f"heading: Rain {day}\nseen-on: 2021-03-{day:02}\nwhere: https://gulls.example/{day}"
        for day in (4, 5)
    ]
    field_map = guessed(write(*texts))
    assert field_map.fields["published_at"] == (FieldSource(name="seen-on", zone="UTC"),)
    assert field_map.fields["original_url"] == (FieldSource(name="where"),)
    assert field_map.fields["title"] == (FieldSource(name="heading"),)


def test_without_a_title_the_file_has_one_and_without_dates_it_is_said(write: Write) -> None:
    folder = write("rating: 4", "rating: 2")
    assert guessed(folder).fields == {"title": (FieldSource("file", "name"),)}
    assert "no key looks like a date" in CliRunner().invoke(cli.app, ["init", folder, "--stdout"]).stderr


def test_a_key_for_records_without_the_first_one(write: Write) -> None:
    field_map = guessed(
        write(
            "title: Rain\ndate: 2021-03-04", "title: Sun\ncreated: 2021-03-05", "title: Ice\ndate: 2021-03-06"
        )
    )
    assert [source.name for source in field_map.fields["published_at"]] == ["date", "created"]


def test_the_date_may_be_in_the_path(tmp_path: Path) -> None:
    folder = tmp_path / "2021" / "03" / "04"
    folder.mkdir(parents=True)
    (folder / "rain.md").write_text("---\ntitle: Rain\n---\n")
    assert guessed(str(tmp_path)).fields["published_at"] == (FieldSource("file", "date", zone="UTC"),)


@pytest.mark.parametrize(
    ("texts", "formats"),
    [
        (["2021-03-04", "2021-03-05 06:07"], ()),
        (["Thu, 04 Mar 2021 05:06:07 +0200"], ()),
        (["04.03.2021", "24.12.2021"], ("%d.%m.%Y",)),
        (["12/24/2021", "03/04/2021"], ("%m/%d/%Y",)),
        (["March 4, 2021"], ("%B %d, %Y",)),
        (["1614834367"], ("unix",)),
        (["10", "12"], None),
        (["soon"], None),
        ([], None),
    ],
)
def test_formats_of_dates(texts: list[str], formats: tuple[str, ...] | None) -> None:
    assert date_formats(texts) == formats


def test_the_own_layout_needs_no_map(tmp_path: Path) -> None:
    runner = CliRunner()
    assert runner.invoke(cli.app, ["sample", str(tmp_path / "own"), "--records", "30"]).exit_code == 0
    done = runner.invoke(cli.app, ["init", str(tmp_path / "own")])
    assert done.exit_code == 0
    assert "no field map is needed" in done.stderr
    assert not (tmp_path / "own" / FILE_NAME).exists()


def test_an_existing_map_is_never_replaced(write: Write) -> None:
    folder = write("title: Rain", "title: Sun")
    (Path(folder) / FILE_NAME).write_text("fields: {title: title}")
    done = CliRunner().invoke(cli.app, ["init", folder])
    assert done.exit_code != 0
    assert "got a field map, expected none" in done.stderr
    assert (Path(folder) / FILE_NAME).read_text() == "fields: {title: title}"
    printed = CliRunner().invoke(cli.app, ["init", folder, "--stdout"])
    assert printed.exit_code == 0
    assert parse_field_map(printed.stdout).fields["title"] == (FieldSource(name="title"),)
    assert sorted(path.name for path in Path(folder).iterdir()) == ["000.md", "001.md", FILE_NAME]


def test_a_preset_is_written(write: Write) -> None:
    folder = write("title: Rain\nrating: 4")
    assert CliRunner().invoke(cli.app, ["init", folder, "--preset", "jekyll"]).exit_code == 0
    assert parse_field_map((Path(folder) / FILE_NAME).read_text()).labels["quality"].scale == 20


def test_files_that_cannot_be_read_are_named(write: Write) -> None:
    folder = write("title: Rain", "title: Sun")
    (Path(folder) / "001.md").write_text("---\ntitle: Sun\n")
    done = CliRunner().invoke(cli.app, ["init", folder, "--stdout"])
    assert done.exit_code == 0
    assert "001.md" in done.stderr


def test_a_folder_without_records_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="a folder without records"):
        propose(str(tmp_path))
    with pytest.raises(RecordError, match="no such folder"):
        propose(str(tmp_path / "none"))


def test_a_huge_archive_is_sampled(write: Write) -> None:
    proposal = propose(write(*(f"title: Rain {number}\nrating: {1 + number % 5}" for number in range(1100))))
    assert (proposal.n_files, proposal.n_read, proposal.labels) == (1100, 500, {"quality": 1100})


def test_a_table_has_a_map_beside_it(tmp_path: Path) -> None:
    rows = [f"Rain {n},2021-03-{n:02},https://gulls.example/{n},{1 + n % 5}" for n in range(1, 29)]
    table = tmp_path / "bookmarks" / "links.csv"
    table.parent.mkdir()
    table.write_text("\n".join(["name,added,link,stars", *rows, ""]), "utf-8")
    shown = CliRunner().invoke(cli.app, ["init", str(table.parent)])
    assert shown.exit_code == 2
    assert "a folder without records" in " ".join(shown.stderr.split())
    assert f"scoring init {table} looks at a table" in " ".join(shown.stderr.split())
    done = CliRunner().invoke(cli.app, ["init", str(table)])
    assert done.exit_code == 0, done.output
    assert f"{table}: 28 rows (1 .csv), 28 of them read" in done.output
    field_map = parse_field_map((table.parent / FILE_NAME).read_text("utf-8"))
    assert field_map.fields["title"] == (FieldSource(name="name"),)
    assert field_map.fields["published_at"] == (FieldSource(name="added", zone="UTC"),)
    assert field_map.labels == {"quality": LabelRule("stars", scale=20, min=1, max=5)}
    checked = CliRunner().invoke(cli.app, ["validate", str(table)])
    assert checked.exit_code == 0, checked.output
    assert "28 records can be used" in checked.output


def test_a_constant_is_no_label(write: Write) -> None:
    texts = [f"title: a{n}\npublished: true\ndraft: {str(n % 3 == 0).lower()}" for n in range(30)]
    assert guessed(write(*texts)).labels == {"published": LabelRule("draft", invert=True)}


def test_what_comes_next_hangs_on_dates(write: Write) -> None:
    folder = write(*(f"title: a{n}\nrating: {n % 5 + 1}" for n in range(30)))
    done = CliRunner().invoke(cli.app, ["init", folder])
    assert 'next: name the key of the date, then "scoring validate' in done.output
