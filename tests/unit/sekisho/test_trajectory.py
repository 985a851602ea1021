"""`sekisho trajectory` on the ground: what is planned from which files, and what is refused."""

import json
import math

import numpy as np
import pytest

from flightcore.flown import Flown
from sekisho.cli import main
from wire.trajectory import Reference, decode_untrusted

NORTH = 1.0 / 0.011131884502145034 * 1e-7  # degrees in a metre
HOME = (35.0, 139.0, 20.0)
EAST = NORTH / math.cos(math.radians(HOME[0]))
CORNERS = [(0, 0), (0, 39), (30, 39), (30, 0)]
LEVEL = ["--altitude", "30"]
GROUND = ["--ground", "20"]


def degrees(north, east):
    return HOME[0] + north * NORTH, HOME[1] + east * EAST


def geojson(corners=CORNERS, wrap=lambda geometry: geometry):
    ring = [[e, n, 7.0] for n, e in (degrees(*c) for c in [*corners, corners[0]])]
    return wrap({"type": "Polygon", "coordinates": [ring]})


def plan(surveys=1, zones=0, home=HOME, **more):
    polygon = [list(degrees(*corner)) for corner in CORNERS]
    items = [{"type": "SimpleItem", "command": 22, "params": [0, 0, 0, None, 1, 2, 3]}]
    items += [{"type": "ComplexItem", "complexItemType": "survey", "polygon": polygon}] * surveys
    return {
        "fileType": "Plan",
        "version": 1,
        "mission": {"items": items, "plannedHomePosition": home, "version": 2},
        "geoFence": {"polygons": [{"inclusion": True, "polygon": polygon}] * zones, "version": 2},
        **more,
    }


def feature(geometry):
    return {"type": "Feature", "properties": {"name": "field"}, "geometry": geometry}


def collection(geometry):
    point = feature({"type": "Point", "coordinates": [0, 0]})
    return {"type": "FeatureCollection", "features": [point, feature(geometry)]}


@pytest.fixture
def run(capsys, tmp_path):
    def run(*words, code=0):
        assert main(["trajectory", *words]) == code
        return capsys.readouterr()

    return run


def survey(run, tmp_path, content, *words, name="field.geojson", code=0):
    file, out = tmp_path / name, tmp_path / "out.traj"
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    said = run(
        *("survey", str(file), *LEVEL, "--spacing", "10", "--out", str(out), *words), code=code
    )
    return said, out


@pytest.mark.parametrize("wrap", [lambda g: g, feature, collection])
def test_survey_of_geojson(run, tmp_path, wrap):
    said, out = survey(run, tmp_path, geojson(wrap=wrap), *GROUND, "--json")
    told = json.loads(said.out)
    document = decode_untrusted(out.read_bytes())
    assert told["identity"] == document.identity.hex()
    assert told["height_m"] == [30.0, 30.0]
    assert document.reference == Reference(350_000_000, 1_390_000_000, 20_000)
    flat = Flown(document).sample(np.linspace(0, document.duration, 5000))
    assert np.allclose(flat[:3].min(axis=1), [0, 4.5, -30], atol=0.02)
    assert np.allclose(flat[:3].max(axis=1), [30, 34.5, -30], atol=0.02)
    assert abs(told["length_m"] - (4 * 30 + 3 * 10)) < 0.2
    assert told["speed"] == pytest.approx(5.0, abs=1e-3)
    assert told["acceleration"] <= 2.0 + 1e-6


@pytest.mark.parametrize("content", [plan(), plan(0, 1), plan(1, 2)])
def test_survey_of_a_plan_is_over_its_home(run, tmp_path, content):
    _, out = survey(run, tmp_path, content, name="field.plan")
    document = decode_untrusted(out.read_bytes())
    assert document.reference.altitude_mm == 20_000
    _, out = survey(run, tmp_path, content, "--ground", "25", name="field.plan")
    assert decode_untrusted(out.read_bytes()).reference.altitude_mm == 25_000


@pytest.mark.parametrize(
    ("content", "name", "expected"),
    [
        ("", "f.geojson", "GeoJSON"),
        ("[1, 2", "f.geojson", "GeoJSON"),
        ('{"type": "Circle"}', "f.geojson", "Circle"),
        (geojson().__repr__(), "f.geojson", "malformed"),
        (
            {"type": "Polygon", "coordinates": [[[139.0, 35.0], [139.1, 35.0]]]},
            "f.geojson",
            "2 corner",
        ),
        ({"type": "Polygon", "coordinates": [[[35.0, 139.0]] * 4]}, "f.geojson", "90"),
        ({"type": "Polygon", "coordinates": [[[1e999, 0.0]] * 4]}, "f.geojson", "f.geojson"),
        ({"type": "Polygon", "coordinates": [[["a", 0.0]] * 4]}, "f.geojson", "float"),
        ({"type": "Polygon", "coordinates": [[[0.0]] * 4]}, "f.geojson", "f.geojson"),
        ({"type": "Polygon", "coordinates": [[], []]}, "f.geojson", "without holes"),
        ({"type": "FeatureCollection", "features": []}, "f.geojson", "0 polygons"),
        ({**geojson(), "type": "LineString"}, "f.geojson", "f.geojson"),
        (geojson(CORNERS * 300), "f.geojson", "allowed: 3 to 1000"),
        (geojson(), "f.plan", "fileType"),
        (plan(0, 0), "f.plan", "0 surveys, 0 inclusion polygons"),
        (plan(2, 0), "f.plan", "2 surveys"),
        (plan(0, 2), "f.plan", "2 inclusion polygons"),
        (plan(fileType="Mission"), "f.plan", "Mission"),
        (plan(home=[1.0]), "f.plan", "plannedHomePosition"),
        (plan(home=None), "f.plan", "--ground"),
        ("x" * (4 << 20) + "y", "f.plan", "at most 4194304 bytes"),
    ],
)
def test_bad_files_are_named(run, tmp_path, content, name, expected):
    said, out = survey(run, tmp_path, content, name=name, code=2)
    assert expected in said.err
    assert name in said.err or "--ground" in said.err
    assert not out.exists()


CENTRE = ["--centre", "35.0,139.0"]
TWO = ["--point", "35.0,139.0", "--point", "35.0005,139.0"]


@pytest.mark.parametrize(
    ("words", "length", "begins"),
    [
        (["orbit", *CENTRE, "--radius", "20"], 125.7, (20, 0)),
        (["orbit", *CENTRE, "--radius", "20", "--turns", "2"], 251.3, (20, 0)),
        (["orbit", *CENTRE, "--radius", "20", "--counter-clockwise"], 125.7, (20, 0)),
        (["line", *TWO], 55.7, (0, 0)),
        (["through", *TWO, "--point", "35.0005,139.0005"], None, (0, 0)),
        (["lemniscate", *CENTRE, "--length", "20", "--width", "15"], None, (20, 0)),
    ],
)
def test_the_other_kinds(run, tmp_path, words, length, begins):
    out = tmp_path / "out.traj"
    said = run(*words, *LEVEL, *GROUND, "--out", str(out), "--json")
    told = json.loads(said.out)
    assert told["speed"] <= 5.01
    assert told["acceleration"] <= 2.01
    if length is not None:
        assert told["length_m"] == pytest.approx(length, abs=0.2)
    document = decode_untrusted(out.read_bytes())
    flown = Flown(document)
    begin, soon = flown.sample(np.array([0.0, 0.5])).T
    assert np.allclose(begin[:3], [*begins, -30.0], atol=0.01)
    if "--counter-clockwise" in words:
        assert soon[1] < 0
    assert json.loads(run("show", str(out), "--json").out) == told


@pytest.mark.parametrize(
    ("words", "code", "expected"),
    [
        (["orbit", *CENTRE, "--radius", "5"], 2, "takes 5.0 m/s2"),
        (["line", *TWO[:2]], 2, "--point: 1 of them"),
        (["line", *TWO[:2], *TWO[:2]], 2, "neighbours"),
        (["through", *TWO[:2], *TWO[:2]], 2, "neighbours"),
        (["line", *TWO, "--speed", "40"], 0, ""),  # it never gets there
        (
            ["line", *TWO, "--speed", "40", "--acceleration", "19"],
            1,
            "speed is 22 m/s; allowed: 15",
        ),
        (["orbit", *CENTRE, "--radius", "2000", "--turns", "9"], 1, "to 3600"),
    ],
)
def test_what_cannot_be_flown_is_refused_by_name(run, tmp_path, words, code, expected):
    out = tmp_path / "out.traj"
    said = run(*words, *LEVEL, *GROUND, "--out", str(out), code=code)
    assert expected in said.err
    assert out.exists() == (code == 0)


VEHICLE = """
mass = 1.5
inertia = [0.0123, 0.0123, 0.0224]
rotors = [[0.2, 0.2, 0.02], [-0.2, -0.2, 0.02], [0.2, -0.2, -0.02], [-0.2, 0.2, -0.02]]
thrust_max = 8.3
"""


@pytest.mark.parametrize(
    ("more", "code", "expected"),
    [
        ("", 0, ""),
        ("drag = [3.0, 3.0, 0.1]", 1, "tilt is 69 degrees; allowed: 32"),  # 13 m/s: 39 N of air
        ("thrust_max = 3.8", 1, "of full thrust; allowed"),
        ("thrust_max = 0", 2, "vehicle.toml: thrust_max = 0.0: allowed: more than 0"),
        ("thrust = 3", 2, "vehicle.toml: thrust"),
    ],
)
def test_a_vehicle_file_is_what_it_is_judged_by(run, tmp_path, more, code, expected):
    file = tmp_path / "vehicle.toml"
    text = VEHICLE.replace("thrust_max = 8.3", more) if "max" in more else VEHICLE + more
    file.write_text(text)
    at = [f"{lat:.6f},{lon:.6f}" for lat, lon in (degrees(0, 0), degrees(400, 0))]
    words = ["line", "--point", at[0], "--point", at[1], *LEVEL, *GROUND]
    words += ["--speed", "13", "--acceleration", "3", "--vehicle", str(file)]
    assert expected in run(*words, code=code).err


@pytest.mark.parametrize(
    "words",
    [
        ["orbit", "--centre", "91,0", "--radius", "5"],
        ["orbit", "--centre", "35", "--radius", "5"],
        ["orbit", *CENTRE, "--radius", "nan"],
        ["orbit", *CENTRE, "--radius", "20", "--speed", "1e9"],
        ["survey", "field.plan", "--spacing", "0"],
    ],
)
def test_arguments_out_of_range_are_wrong_usage(run, words):
    with pytest.raises(SystemExit) as exit_:
        run(*words, *LEVEL, *GROUND)
    assert exit_.value.code == 2


@pytest.mark.parametrize("data", [b"", b"\1" + bytes(40), b"text"])
def test_a_file_that_is_no_trajectory(run, tmp_path, data):
    file = tmp_path / "x.traj"
    file.write_bytes(data)
    for words in (["show", str(file)], ["upload", "tsubame-1", str(file)]):
        assert f"{file}: no trajectory: " in run(*words, code=2).err
