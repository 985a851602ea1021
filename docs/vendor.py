"""Fetch what the console carries of others: map and plot libraries, and the world's land.

Run by a developer with `npm` and the package `antimeridian` at hand; the result is committed and
`groundstation/static/vendor/vendor.json` says what it is. Nothing of it is fetched at run time.

    python docs/vendor.py
"""

import hashlib
import io
import json
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any, Final

VENDOR: Final = Path(__file__).parents[1] / "groundstation" / "static" / "vendor"
_FILES: Final = {
    "leaflet@1.9.4": (
        "BSD-2-Clause",
        {"dist/leaflet.js": "leaflet.js", "dist/leaflet.css": "leaflet.css"},
    ),
    "uplot@1.6.32": (
        "MIT",
        {"dist/uPlot.iife.min.js": "uplot.js", "dist/uPlot.min.css": "uplot.css"},
    ),
    "world-atlas@2.0.2": (
        "ISC; Natural Earth, public domain",
        {"land-110m.json": "land.json"},
    ),
}
_DECIMALS = 2  # the shapes are good to some 10 km


def main() -> None:
    """Fetch every package, keep the named files and licences, write down their hashes."""
    VENDOR.mkdir(parents=True, exist_ok=True)
    table: list[dict[str, Any]] = []
    for package, (licence, files) in _FILES.items():
        name, _, version = package.partition("@")
        archive = _pack(package)
        hashes = {}
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            for source, target in {**files, "LICENSE": f"{name}.LICENSE"}.items():
                member = tar.extractfile(f"package/{source}")
                assert member is not None
                data = member.read()
                if target == "land.json":
                    data = _land(json.loads(data))
                # The map behind a minified file is not carried, so it is not named either.
                data = data.replace(b"\n//# sourceMappingURL=leaflet.js.map", b"")
                (VENDOR / target).write_bytes(data)
                hashes[target] = hashlib.sha256(data).hexdigest()
        table.append(
            {
                "name": name,
                "version": version,
                "licence": licence,
                "package": f"npm {package}",
                "package_sha256": hashlib.sha256(archive).hexdigest(),
                "sha256": hashes,
            }
        )
    (VENDOR / "vendor.json").write_text(json.dumps(table, indent=2) + "\n")


def _pack(package: str) -> bytes:
    with tempfile.TemporaryDirectory() as directory:
        subprocess.run(  # noqa: S603 - a fixed list
            ["npm", "pack", "--silent", package],  # noqa: S607 - the developer's npm
            cwd=directory,
            check=True,
            capture_output=True,
            timeout=120,
        )
        return next(Path(directory).iterdir()).read_bytes()


def _land(topology: dict[str, Any]) -> bytes:
    """Return the land as GeoJSON whose rings neither cross the antimeridian nor enclose the sea.

    The source winds its rings the other way and lets them run across 180 degrees, which plane maps
    draw as land where there is sea.
    """
    import antimeridian  # noqa: PLC0415 - of the developer's machine only

    scale, translate = topology["transform"]["scale"], topology["transform"]["translate"]
    arcs = []
    for arc in topology["arcs"]:
        x = y = 0
        points = []
        for dx, dy in arc:
            x, y = x + dx, y + dy
            points.append([x * scale[0] + translate[0], y * scale[1] + translate[1]])
        arcs.append(points)

    def ring(indices: list[int]) -> list[list[float]]:
        points: list[list[float]] = []
        for index in indices:
            arc = arcs[index] if index >= 0 else arcs[~index][::-1]
            points += arc[1:] if points else arc
        return points[::-1]

    polygons: list[Any] = []
    for geometry in topology["objects"]["land"]["geometries"]:
        assert geometry["type"] == "MultiPolygon"
        for rings in geometry["arcs"]:
            polygon = {"type": "Polygon", "coordinates": [ring(indices) for indices in rings]}
            fixed = antimeridian.fix_geojson(polygon)
            several = fixed["type"] == "MultiPolygon"
            polygons += fixed["coordinates"] if several else [fixed["coordinates"]]
    rounded = [
        [[[round(x, _DECIMALS), round(y, _DECIMALS)] for x, y in points] for points in polygon]
        for polygon in polygons
    ]
    return json.dumps(
        {"type": "MultiPolygon", "coordinates": rounded}, separators=(",", ":")
    ).encode()


if __name__ == "__main__":
    main()
