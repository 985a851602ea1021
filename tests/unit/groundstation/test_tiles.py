"""Tiles from files that people drop: the right one, and nothing from a file that is none.

Mutants killed: rows counted from the other end; a row outside the world; a vector file is used; the
file is opened for writing.
"""

import sqlite3

import pytest

from groundstation.aio.tiles import Tiles

PNG = b"\x89PNG tile"


def write(path, tiles, kind="png"):
    path.parent.mkdir(exist_ok=True)
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE metadata (name text, value text)")
        database.execute("INSERT INTO metadata VALUES ('format', ?)", (kind,))
        database.execute(
            "CREATE TABLE tiles (zoom_level int, tile_column int, tile_row int, tile_data blob)"
        )
        database.executemany("INSERT INTO tiles VALUES (?, ?, ?, ?)", tiles)
    database.close()


def test_rows_count_from_the_north(tmp_path):
    write(tmp_path / "field.mbtiles", [(3, 5, 0, PNG + b"south"), (3, 5, 7, PNG + b"north")])
    tiles = Tiles(tmp_path)
    assert tiles.get("field", 3, 5, 0) == (PNG + b"north", "image/png")
    assert tiles.get("field", 3, 5, 7) == (PNG + b"south", "image/png")
    assert tiles.get("field", 3, 13, 7) == (PNG + b"south", "image/png")  # once around
    assert (tiles.sets["field"].min_zoom, tiles.sets["field"].max_zoom) == (3, 3)
    tiles.close()


@pytest.mark.parametrize(
    "place", [(3, 5, 8), (3, 5, -1), (3, 5, 10**30), (4, 5, 0), (-1, 0, 0), (10**9, 0, 0)]
)
def test_no_such_tile(tmp_path, place):
    write(tmp_path / "field.mbtiles", [(3, 5, 0, PNG)])
    tiles = Tiles(tmp_path)
    assert tiles.get("field", *place) is None
    assert tiles.get("other", 3, 5, 7) is None
    tiles.close()


@pytest.mark.parametrize("content", [b"", b"no database", b"SQLite format 3\0" + bytes(200)])
def test_a_file_that_is_no_map(tmp_path, content, caplog):
    (tmp_path / "bad.mbtiles").write_bytes(content)
    write(tmp_path / "good.mbtiles", [(0, 0, 0, PNG)])
    tiles = Tiles(tmp_path)
    assert list(tiles.sets) == ["good"]
    assert "bad.mbtiles: not used as a map" in caplog.text
    tiles.close()


@pytest.mark.parametrize(
    ("rows", "kind"),
    [
        ([(0, 0, 0, PNG)], "pbf"),
        ([], "png"),
        ([("x", 0, 0, PNG)], "png"),
        ([(99, 0, 0, PNG)], "png"),
    ],
)
def test_a_file_of_another_kind(tmp_path, rows, kind):
    write(tmp_path / "other.mbtiles", rows, kind)
    assert Tiles(tmp_path).sets == {}


def test_what_is_no_picture_is_not_served(tmp_path):
    write(tmp_path / "field.mbtiles", [(0, 0, 0, b"<script>"), (1, 0, 0, None), (1, 0, 1, "text")])
    tiles = Tiles(tmp_path)
    assert [tiles.get("field", *at) for at in ((0, 0, 0), (1, 0, 0), (1, 0, 1))] == [None] * 3
    with pytest.raises(sqlite3.OperationalError):
        tiles.sets["field"].database.execute("DELETE FROM tiles")
    tiles.close()
