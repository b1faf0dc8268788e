"""Features of the text below the front matter."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from scoring.errors import RecordError
from scoring.features.body import COLUMNS
from scoring.features.cache import FeatureCache
from scoring.features.edited import EditedFeatures
from scoring.features.encoding import Encoder
from scoring.features.extraction import extracted
from scoring.features.reading import read_features
from scoring.features.sections import FIRST_TOPIC
from scoring.features.table import BODY_NAMES, NUMBER_NAMES, build_table, concatenated, extract
from scoring.records.body import MAX_COUNTED_CHARS, count_body
from scoring.records.decode import decode_file
from scoring.records.field_maps.lookup import FieldMaps
from scoring.records.record import Body, Record, RecordWithBody
from scoring.training.config import RubricConfig
from scoring.training.design_matrix import DesignMatrix
from scoring.training.rubric import fit_rubric

TEXT = """
# Rain

It *rains* in [Oslo](https://www.oslo.example/a), in [Oslo](https://oslo.example/b) and <https://gulls.example>.

> Said by a gull.

![a cloud](cloud.jpg)

```py
x = 1
```

    y = 2

## Again
"""
FILE = f"---\ntitle: Rain\ntopics: [Sea]\n---\n{TEXT}"
WITH_BODY = RecordWithBody(title="Rain", topics=("Sea",), body=Body(words=10, links=2))
WITHOUT = Record(title="Wind", topics=("Air",))


def test_a_body_is_counted() -> None:
    assert count_body(TEXT) == Body(words=16, links=3, hosts=2, headings=2, code_blocks=2, images=1, quotes=1)


def test_a_body_is_read_only_if_it_is_asked_for_and_there() -> None:
    data = FILE.encode()
    plain = decode_file(data, "a.md")
    assert type(plain.record) is Record
    record = decode_file(data, "a.md", reads_body=True).record
    assert isinstance(record, RecordWithBody)
    assert record.body == count_body(TEXT)
    assert {name: getattr(record, name) for name in Record.__struct_fields__} == msgspec.structs.asdict(
        plain.record
    )
    assert "gull" not in repr(record)
    for end in ("", "\n", "\n\n \n"):
        assert decode_file(f"---\ntitle: Rain\n---{end}".encode(), "a.md", reads_body=True).record == Record(
            title="Rain"
        )


def test_a_cache_has_no_text_and_tells_whether_bodies_were_read(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text(FILE)
    cache = FeatureCache(tmp_path / "cache.db", 10**7, 0)
    paths = [str(tmp_path / "a.md")]
    for reads_bodies in (True, False, True, False):
        field_maps = FieldMaps(paths).with_model_map(None, reads_bodies=reads_bodies)
        (features,) = read_features(paths, field_maps=field_maps, cache=cache, on_fault=stop)
        document = decode_file(FILE.encode(), paths[0], reads_body=reads_bodies)
        assert repr(features) == repr(extracted(document, None, FIRST_TOPIC))
        assert len(features.row[1]) == len(NUMBER_NAMES) + reads_bodies * len(BODY_NAMES)
    assert all(b"Said by a gull" not in file.read_bytes() for file in tmp_path.glob("cache.db*"))


def stop(error: RecordError) -> None:
    raise error


def test_a_long_body_is_counted_up_to_the_limit() -> None:
    assert count_body("a " * MAX_COUNTED_CHARS).words == MAX_COUNTED_CHARS // 2
    for hostile in ("[" * 10**6, "> " * 10**6, "*a " * 10**6, "`" * 10**6, "![" * 10**6):
        count_body(hostile)


def test_a_table_has_the_columns_only_if_a_record_has_a_body() -> None:
    assert tuple(column.name for column in COLUMNS) == BODY_NAMES
    narrow, mixed = build_table([WITHOUT]), build_table([WITHOUT, WITH_BODY])
    assert not narrow.has_bodies
    assert narrow.numbers.shape == (1, len(NUMBER_NAMES))
    assert mixed.number("body_word_count").tolist()[1] == 10
    names = ("title_chars", "body_link_count")
    for table in (mixed, concatenated([narrow, build_table([WITH_BODY])])):
        np.testing.assert_array_equal(table.columns(names), [[4, np.nan], [4, 2]])
    np.testing.assert_array_equal(narrow.columns(names), [[4, np.nan]])
    np.testing.assert_array_equal(narrow.number("body_link_count"), [np.nan])
    np.testing.assert_array_equal(mixed.take(np.array([0])).columns(names), [[4, np.nan]])


def test_an_encoder_has_the_columns_only_if_a_training_record_has_a_body() -> None:
    y = np.array([1.0, 2.0])
    plain = Encoder.fit(build_table([WITHOUT, WITHOUT]), y)
    assert plain.body_names == ()
    assert b"body" not in msgspec.json.encode(plain)
    fitted = Encoder.fit(build_table([WITHOUT, WITH_BODY]), y)
    assert fitted.names == (
        *Encoder.fit(build_table([WITHOUT, Record(topics=("Sea",))]), y).names,
        *BODY_NAMES,
    )
    assert not fitted.missing_body(len(NUMBER_NAMES))
    always = Encoder.fit(build_table([WITH_BODY, WITH_BODY]), y)
    assert always.missing_body(len(extract(WITHOUT)[1]))
    assert not always.missing_body(len(extract(WITH_BODY)[1]))
    again = msgspec.json.decode(msgspec.json.encode(fitted), type=Encoder)
    assert again == fitted
    mixed = again.transform(build_table([WITHOUT, WITH_BODY]))
    for row, record in enumerate([WITHOUT, WITH_BODY]):
        np.testing.assert_array_equal(mixed[[row]], again.transform(build_table([record])))
    np.testing.assert_array_equal(
        plain.transform(build_table([WITH_BODY])),
        plain.transform(build_table([Record(title="Rain", topics=("Sea",))])),
    )


@pytest.mark.parametrize("record", [WITH_BODY, WITHOUT])
def test_an_edited_record_keeps_its_body(record: Record) -> None:
    edited = EditedFeatures(record, None, frozenset())
    assert repr(edited.row[1]) == repr(extract(record)[1])
    changed = msgspec.structs.replace(record, title="Snow")
    assert repr(edited.with_title("Snow")[1]) == repr(extract(changed)[1])


def test_what_a_body_has_counts_in_the_rubric() -> None:
    """A site that gives points for links and takes them for quotes: the rubric learns both."""
    rng = np.random.default_rng(5)
    links, quotes = rng.integers(0, 6, 200), rng.integers(0, 2, 200)
    records = [
        RecordWithBody(title=f"Kite {n % 7}", topics=("Sea",), body=Body(words=50, links=a, quotes=b))
        for n, (a, b) in enumerate(zip(links.tolist(), quotes.tolist(), strict=True))
    ]
    y = 40 + 3.0 * links - 6.0 * quotes + rng.choice([0.0, 1.0], 200)
    plain = [Record(title=record.title, topics=record.topics) for record in records]
    errors = []
    for table in (build_table(records), build_table(plain)):
        rubric = fit_rubric(DesignMatrix.of(table, RubricConfig()), y)
        errors.append(float(np.abs(rubric.predict(table) - y).mean()))
    assert errors[0] < 0.7 < 4 < errors[1]
    fitted = fit_rubric(DesignMatrix.of(build_table(records), RubricConfig()), y)
    assert fitted.numbers_["body_link_count"] == pytest.approx(3, abs=0.2)
    assert fitted.numbers_["body_quote_count"] == pytest.approx(-6, abs=1)
    without = fit_rubric(DesignMatrix.of(build_table(plain), RubricConfig()), y)
    assert not set(BODY_NAMES) & without.numbers_.keys()
