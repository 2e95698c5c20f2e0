"""Files are read piece by piece, whatever is wrong with single lines; an unreadable file is refused."""

import csv
import gzip
import io
import json
import lzma
from typing import Any

import datasets
import pyarrow as pa
import pytest
from pyarrow import parquet

from tests.owndata.talk import lines
from tuner.errors import InputError
from tuner.reading import json_source
from tuner.reading.opening import open_source, open_sources
from tuner.reading.pieces import Unread


def records(source, fields=("a",), others=None) -> list[Any]:
    return [record for piece in source.pieces(list(fields), others or {}) for record in piece.records]


def columns(source, others):
    pieces = source.pieces(["a"], others)
    return pa.concat_tables([piece.others for piece in pieces]).to_pydict()


def written(path, table, **options):
    parquet.write_table(table, path, **options)
    return path


def test_lines_that_are_not_rows_are_returned_with_a_reason(tmp_path):
    path = lines(
        tmp_path / "x.jsonl", [{"a": "1"}, "{'a': 2}", "", "[1]", "  ", "null", '{"a": "\\ud800"}', {"a": "ü"}]
    )
    source = open_source(path)
    piece, *rest = source.pieces(["a"], {})
    assert not rest
    assert piece.numbers == [1, 2, 4, 6, 7, 8]
    first, *unread, last = piece.records
    assert (first, last) == ({"a": "1"}, {"a": "ü"})
    assert [each.reason.partition(":")[0] for each in unread if isinstance(each, Unread)] == [
        "not valid JSON",
        *["not a JSON object"] * 2,
        "not valid JSON",
    ]
    assert isinstance(unread[0], Unread) and unread[0].excerpt == "{'a': 2}"
    assert source.survey().rows == 6


def test_invalid_utf8_affects_its_line_only(tmp_path):
    (tmp_path / "x.jsonl").write_bytes(b'{"a": "\xff"}\n{"a": "\x00"}\n{"a": "1"}\r\n{"a": "last"}')
    broken, nul, *whole = records(open_source(tmp_path / "x.jsonl"))
    assert isinstance(broken, Unread) and isinstance(nul, Unread)
    assert whole == [{"a": "1"}, {"a": "last"}]


def test_a_line_longer_than_any_row_is_not_read_into_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(json_source, "LONGEST_LINE", 64)
    path = lines(tmp_path / "x.jsonl", [{"a": "1"}, {"a": "x" * 1000}, {"a": "3"}])
    first, unread, last = records(open_source(path))
    assert (first, last) == ({"a": "1"}, {"a": "3"})
    assert unread.reason == "longer than 64 bytes"
    assert len(unread.excerpt) <= 120


@pytest.mark.parametrize("row_bytes", [1, 100])
def test_pieces_are_bounded_in_rows_and_bytes(row_bytes, tmp_path, monkeypatch):
    monkeypatch.setattr(json_source, "PIECE_ROWS", 10)
    monkeypatch.setattr(json_source, "PIECE_BYTES", 300)
    path = lines(tmp_path / "x.jsonl", [{"a": "x" * row_bytes}] * 25)
    sizes = [len(piece.records) for piece in open_source(path).pieces(["a"], {})]
    assert sizes == ([10, 10, 5] if row_bytes == 1 else [3] * 8 + [1])


def test_byte_order_marks(tmp_path):
    (tmp_path / "x.jsonl").write_bytes(b'\xef\xbb\xbf{"a": "1"}\n')
    assert records(open_source(tmp_path / "x.jsonl")) == [{"a": "1"}]
    (tmp_path / "y.jsonl").write_bytes('{"a": "1"}\n'.encode("utf-16"))
    with pytest.raises(InputError, match="UTF-16; save it as UTF-8"):
        open_source(tmp_path / "y.jsonl").survey()


def test_a_json_file_is_an_array_or_lines(tmp_path):
    rows = [{"a": "1"}, 2, {"a": "3"}]
    (tmp_path / "array.json").write_text(json.dumps(rows, indent=1))
    source = open_source(tmp_path / "array.json")
    first, unread, last = records(source)
    assert (source.unit, first, unread, last) == ("row", rows[0], Unread("not a JSON object", "2"), rows[2])
    assert open_source(lines(tmp_path / "lines.json", rows)).unit == "line"
    (tmp_path / "broken.json").write_text("[{")
    with pytest.raises(InputError, match=r"broken\.json: not valid JSON"):
        open_source(tmp_path / "broken.json").survey()


def test_columns_are_those_of_the_first_objects(tmp_path, monkeypatch):
    monkeypatch.setattr(json_source, "SAMPLE", 2)
    path = lines(tmp_path / "x.jsonl", ["no", {"a": None}, {"b": []}, {"c": 1}])
    assert open_source(path).columns == {"a": (1, 0), "b": (1, 1)}
    with pytest.raises(InputError, match="no line is a JSON object; line 1: not valid JSON"):
        _ = open_source(lines(tmp_path / "y.jsonl", ["no", "[]"])).columns


@pytest.mark.parametrize(
    ("values", "kind", "read"),
    [
        (["x", None], pa.string(), ["x", None]),
        ([1, 2], pa.int64(), [1, 2]),
        ([1, 2.5], pa.float64(), [1.0, 2.5]),
        ([True, None], pa.bool_(), [True, None]),
        ([1, "x", True], pa.string(), ["1", "x", "true"]),
        ([2**70, 1], pa.float64(), [2.0**70, 1.0]),
        ([2**63, 1], pa.float64(), [2.0**63, 1.0]),
        ([None, None], None, None),
        (["x", {}], None, None),
        (["x", [1]], None, None),
    ],
)
def test_other_columns_have_the_type_that_holds_all_their_values(values, kind, read, tmp_path):
    source = open_source(lines(tmp_path / "x.jsonl", [{"a": "text", "b": value} for value in values]))
    assert source.survey().others.get("b") == kind
    if kind is not None:
        assert columns(source, {"b": kind}) == {"b": read}


def test_other_columns_are_null_for_lines_that_are_not_rows(tmp_path):
    source = open_source(lines(tmp_path / "x.jsonl", [{"a": "1", "b": 1}, "no", {"a": "3"}]))
    assert columns(source, {"b": pa.int64()}) == {"b": [1, None, None]}


@pytest.mark.parametrize(
    ("ids", "column"),
    [(["x", "y"], "id"), (["x", "x"], None), (["x", None], None), (["x", ""], None), ([1, 2], None)],
)
def test_a_column_names_rows_if_its_strings_are_unique(ids, column, tmp_path):
    rows = [{"a": "text", "id": each} for each in ids]
    assert open_source(lines(tmp_path / "x.jsonl", rows)).survey().ids == column
    assert open_source(written(tmp_path / "x.parquet", pa.Table.from_pylist(rows))).survey().ids == column


def test_parquet_is_read_piece_by_piece(tmp_path):
    table = pa.table(
        {
            "a": pa.array(["x", None, "z"] * 4000).dictionary_encode(),
            "b": pa.array(range(12000), pa.int32()),
            "c": pa.array(["k"] * 12000).dictionary_encode(),
            "d": [[1]] * 12000,
            "e": [{"x": 1}] * 12000,
        }
    )
    source = open_source(written(tmp_path / "x.parquet", table, row_group_size=12000))
    assert (source.unit, source.columns["a"].lists, source.columns["d"].lists) == ("row", 0, 1)
    survey = source.survey()
    assert survey.rows == 12000
    assert survey.others == {"a": pa.string(), "b": pa.int32(), "c": pa.string()}
    pieces = list(source.pieces(["a"], {"c": pa.string(), "b": pa.int32()}))
    assert [piece.numbers[0] for piece in pieces] == [1, 5001, 10001]
    assert [record["a"] for record in pieces[0].records[:3] if not isinstance(record, Unread)] == ["x", None, "z"]
    assert pa.concat_tables([piece.others for piece in pieces]).to_pydict() == {
        "c": ["k"] * 12000,
        "b": list(range(12000)),
    }


def test_invalid_utf8_in_parquet_affects_its_row_only(tmp_path):
    broken = pa.array([b"x", b"\xff", b"z"]).view(pa.string())
    source = open_source(written(tmp_path / "x.parquet", pa.table({"a": broken})))
    assert records(source) == [{"a": "x"}, Unread("a text is not valid UTF-8", ""), {"a": "z"}]


@pytest.mark.parametrize("cut", [0, 3, 100, -5])
def test_a_truncated_parquet_file_is_refused(cut, tmp_path):
    path = written(tmp_path / "x.parquet", pa.table({"a": ["text"] * 1000}))
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(InputError, match=r"x\.parquet: not a readable Parquet file"):
        _ = open_source(path).columns


def test_a_parquet_file_with_overwritten_bytes_is_refused(tmp_path):
    path = written(tmp_path / "x.parquet", pa.table({"a": [f"{number}" for number in range(5000)]}), compression="zstd")
    whole = path.read_bytes()
    path.write_bytes(whole[:200] + b"\0" * 2000 + whole[2200:])
    with pytest.raises(InputError, match="not a readable Parquet file"):
        records(open_source(path))


def test_a_missing_or_unknown_file_is_refused(tmp_path):
    for path, words in (
        (tmp_path / "nowhere.jsonl", "no such file"),
        (tmp_path, "not a file of rows"),
        (lines(tmp_path / "x.xlsx", []), r"\.parquet, \.jsonl"),
    ):
        with pytest.raises(InputError, match=words):
            open_source(path)


def rows_of(source):
    wanted = list(source.columns)
    return [record for piece in source.pieces(wanted, {}) for record in piece.records]


ROWS = [{"a": "1", "b": "x,\ny"}, {"a": "2", "b": 'ü"'}]


@pytest.mark.parametrize("suffix", [".jsonl", ".json"])
@pytest.mark.parametrize("indent", [None, 1])
def test_an_array_is_known_by_what_a_file_begins_with(suffix, indent, tmp_path):
    path = tmp_path / f"x{suffix}"
    path.write_text(json.dumps(ROWS, indent=indent))
    assert rows_of(open_source(path)) == ROWS
    path.write_text("[\n" + ",\n".join(map(json.dumps, ROWS)) + "\n]\n")
    assert rows_of(open_source(path)) == ROWS


@pytest.mark.parametrize("indent", [None, 1])
def test_an_object_may_hold_the_array(indent, tmp_path):
    path = tmp_path / "x.json"
    path.write_text(json.dumps({"version": 1, "data": ROWS}, indent=indent))
    assert rows_of(open_source(path)) == ROWS
    path.write_text(json.dumps({"train": ROWS, "test": ROWS}, indent=indent))
    with pytest.raises(InputError, match="holds several arrays, train, test"):
        open_source(path).survey()
    row = {"messages": [{"role": "user", "content": "Ask."}]}
    path.write_text(json.dumps(row, indent=indent))
    assert rows_of(open_source(path)) == [row]


def test_nan_is_null(tmp_path):
    path = lines(tmp_path / "x.jsonl", ['{"a": "1", "b": NaN}', '{"a": "NaN", "b": [-Infinity]}', '{"a": NaN'])
    first, second, third = records(open_source(path))
    assert (first, second) == ({"a": "1", "b": None}, {"a": "NaN", "b": [None]})
    assert isinstance(third, Unread)


@pytest.mark.parametrize(("suffix", "codec"), [(".gz", "gzip"), (".zst", "zstd"), (".zstd", "zstd"), (".bz2", "bz2")])
def test_compressed_files_are_read(suffix, codec, tmp_path):
    path = tmp_path / f"x.jsonl{suffix}"
    with pa.output_stream(path, compression=codec) as file:
        file.write("".join(json.dumps(row) + "\n" for row in ROWS).encode())
    assert rows_of(open_source(path)) == ROWS
    path.write_bytes(path.read_bytes()[:-6])
    with pytest.raises(InputError, match="cannot be read"):
        open_source(path).survey()


def test_what_xz_compressed_is_read(tmp_path):
    path = tmp_path / "x.jsonl.xz"
    path.write_bytes(lzma.compress("".join(json.dumps(row) + "\n" for row in ROWS).encode()))
    assert rows_of(open_source(path)) == ROWS
    for content in (path.read_bytes()[:-6], b"no such thing"):
        path.write_bytes(content)
        with pytest.raises(InputError, match="cannot be read"):
            open_source(path).survey()


@pytest.mark.parametrize(
    ("suffix", "delimiter"),
    [(".csv", ","), (".tsv", "\t"), (".csv.gz", ","), (".csv", ";"), (".csv", "|"), (".csv", "\t"), (".tsv", ",")],
)
def test_separated_values_are_read_as_text(suffix, delimiter, tmp_path):
    path = tmp_path / f"x{suffix}"
    text = io.StringIO()
    writer = csv.DictWriter(text, ["a", "b"], delimiter=delimiter)
    writer.writeheader()
    writer.writerows([*ROWS, {"a": "007", "b": ""}])
    text = text.getvalue().encode("utf-8-sig")
    path.write_bytes(text if suffix[-2:] != "gz" else gzip.compress(text))
    source = open_source(path)
    assert rows_of(source) == [*ROWS, {"a": "007", "b": ""}]
    assert source.survey().rows == 3
    assert columns(source, {"b": pa.string()}) == {"b": ["x,\ny", 'ü"', ""]}


def test_wrong_values_in_separated_files_are_one_clear_line(tmp_path):
    path = tmp_path / "x.csv"
    path.write_bytes(b"a,b\n1,\xff\n2,y\n")
    assert rows_of(open_source(path)) == [Unread("a text is not valid UTF-8", ""), {"a": "2", "b": "y"}]
    path.write_text("a,b\n1,2\n", encoding="utf-16")
    with pytest.raises(InputError, match="is UTF-16; save it as UTF-8"):
        rows_of(open_source(path))
    path.write_text("a,b\n1,2,3\n")
    with pytest.raises(InputError, match="not a readable file of separated values"):
        rows_of(open_source(path))
    path.write_text("")
    assert open_source(path).columns == {}


def test_a_folder_gives_its_files_and_names_the_others(tmp_path):
    lines(tmp_path / "b.jsonl", ROWS[1:])
    lines(tmp_path / "a.jsonl", ROWS[:1])
    (tmp_path / "README.md").write_text("x")
    (tmp_path / ".hidden.jsonl").write_text("x")
    sources, unread = open_sources([tmp_path])
    assert [rows_of(source) for source in sources] == [ROWS[:1], ROWS[1:]]
    assert unread == ["README.md"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no file of rows"):
        open_sources([tmp_path / "empty"])


def test_a_saved_data_set_is_read(tmp_path):
    datasets.Dataset.from_list(ROWS).save_to_disk(tmp_path / "one")
    (source,), _ = open_sources([tmp_path / "one"])
    assert (rows_of(source), source.survey().rows) == (ROWS, 2)
    datasets.DatasetDict({name: datasets.Dataset.from_list(ROWS) for name in ("train", "test")}).save_to_disk(
        tmp_path / "two"
    )
    with pytest.raises(InputError, match=r"has the splits train, test; name one: .*/two/train"):
        open_sources([tmp_path / "two"])
    (source,), _ = open_sources([tmp_path / "two" / "train"])
    assert rows_of(source) == ROWS


def test_a_data_set_of_the_hub_is_read(tmp_path, monkeypatch):
    """The hub's part is played by a folder; `datasets` itself reads it."""
    for split in ("train", "test"):
        lines(tmp_path / f"{split}.jsonl", ROWS)
    load, asked = datasets.load_dataset, []

    def from_folder(name, config, split, revision):
        asked.append((name, config, split, revision))
        files = {each: str(tmp_path / f"{each}.jsonl") for each in ("train", "test")}
        return load("json", data_files=files, split=split, cache_dir=str(tmp_path / "cache"))

    monkeypatch.setattr(datasets, "load_dataset", from_folder)
    (source,), _ = open_sources(["hf://owner/name/main:train"])
    assert rows_of(source) == ROWS
    assert asked == [("owner/name", "main", "train", None)]
    open_sources(["hf://owner/name:test@abc"])
    assert asked[-1] == ("owner/name", None, "test", "abc")
    with pytest.raises(
        InputError, match="hf://owner/name: has the splits train, test; name one: hf://owner/name:train"
    ):
        open_sources(["hf://owner/name"])
    with pytest.raises(InputError, match=r"hf://owner/name:none: cannot be read: "):
        open_sources(["hf://owner/name:none"])
    with pytest.raises(InputError, match=r"is hf://owner/name\[/config\]\[:split\]\[@revision\]"):
        open_sources(["hf://name"])
