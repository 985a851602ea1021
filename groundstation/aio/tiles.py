"""Map tiles from files: every `*.mbtiles` in the state directory's `maps`, read only.

Source: https://github.com/mapbox/mbtiles-spec (1.3; rows count from the south).
"""

import logging
import sqlite3
from pathlib import Path
from typing import Final, NamedTuple

MAX_ZOOM: Final = 24
# What a browser draws without help; vector tiles need a program that this console does not have.
_TYPES: Final = {b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg", b"RIFF": "image/webp"}

_log = logging.getLogger(__name__)


class TileSet(NamedTuple):
    """One file of tiles."""

    name: str
    min_zoom: int
    max_zoom: int
    database: sqlite3.Connection


class Tiles:
    """The tile sets of one directory, by name; what cannot be read is named and left out."""

    def __init__(self, directory: Path) -> None:
        self.sets: dict[str, TileSet] = {}
        for path in sorted(directory.glob("*.mbtiles")):
            try:
                self.sets[path.stem] = _open(path)
            except (sqlite3.Error, ValueError) as error:
                _log.warning("%s: not used as a map: %s", path, error)

    def close(self) -> None:
        """Close the files."""
        for tiles in self.sets.values():
            tiles.database.close()

    def get(self, name: str, zoom: int, column: int, row: int) -> tuple[bytes, str] | None:
        """Return one tile and its type, rows counted from the north; None if there is none."""
        tiles = self.sets.get(name)
        if tiles is None or not 0 <= zoom <= MAX_ZOOM or not 0 <= row < 1 << zoom:
            return None
        try:
            found = tiles.database.execute(
                "SELECT tile_data FROM tiles"
                " WHERE zoom_level = ? AND tile_column = ? AND tile_row = ?",
                (zoom, column % (1 << zoom), (1 << zoom) - 1 - row),
            ).fetchone()
        except sqlite3.Error as error:
            _log.warning("map %s: %s", name, error)
            return None
        if found is None or not isinstance(found[0], bytes):
            return None
        kind = next((t for magic, t in _TYPES.items() if found[0].startswith(magic)), None)
        return None if kind is None else (found[0], kind)


def _open(path: Path) -> TileSet:
    """Open one file.

    Raises:
        sqlite3.Error, ValueError: It is no file of raster tiles.
    """
    database = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
    try:
        low, high = _zoom_levels(database)
    except BaseException:
        database.close()
        raise
    return TileSet(path.stem, low, high, database)


def _zoom_levels(database: sqlite3.Connection) -> tuple[int, int]:
    metadata = dict(database.execute("SELECT name, value FROM metadata").fetchall())
    if metadata.get("format") not in ("png", "jpg", "jpeg", "webp"):
        raise ValueError(f"format = {metadata.get('format')!r}; allowed: png, jpg, webp")
    query = "SELECT min(zoom_level), max(zoom_level) FROM tiles"
    low, high = database.execute(query).fetchone()
    if isinstance(low, int) and isinstance(high, int) and 0 <= low <= high <= MAX_ZOOM:
        return low, high
    raise ValueError(f"zoom levels {low!r} to {high!r}; allowed: 0 to {MAX_ZOOM}")
