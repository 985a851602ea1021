"""QGroundControl's `.plan`: read and written again without loss, or refused by name.

`full.plan` has what that program writes (its own file format's documentation, its survey with and
without a camera, a corridor, a structure scan), with keys that nobody here knows beside them.

Mutants killed: an unknown key of an item, a zone, a camera or the file is dropped; a survey that
nobody has touched is laid out again; jumps keep the file's doJumpId; a version is not looked at; a
complex item without items is flown as none; NaN comes in; a number out of bounds is cut.
"""

import copy
import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groundstation.plan.draft import Draft
from groundstation.plan.model import Foreign, Home, PlanError, Survey, flown
from groundstation.plan.onboard import lists
from groundstation.plan.qgc import MAX_CHARACTERS, read_plan_untrusted
from groundstation.plan.qgc_write import write_plan

FULL = json.loads((Path(__file__).parents[2] / "data/plans/full.plan").read_text())


def read(plan):
    return read_plan_untrusted(json.dumps(plan))


def drafted(plan):
    draft = Draft()
    draft.replace(read(plan))
    return draft


def written(draft):
    return json.loads(write_plan(draft.plan, None))


def test_nothing_is_lost():
    draft = drafted(FULL)
    assert written(draft) == FULL
    assert written(Draft.decode(draft.encode())) == FULL


def test_the_text_is_as_qgroundcontrol_writes_it():
    text = write_plan(drafted(FULL).plan, None)
    assert text == json.dumps(FULL, indent=4, sort_keys=True) + "\n"


def test_what_is_flown():
    plan = drafted(FULL).plan
    numbers = [one.item.command for one in flown(plan)]
    assert numbers == [22, 178, 16, 206, 16, 206, 16, 16, 16, 206, 16, 206, 16, 177, 201, 20]
    survey, corridor, structure = plan.items[2], plan.items[4], plan.items[5]
    assert isinstance(survey, Survey)
    assert (survey.angle, survey.spacing, survey.camera.name) == (90, 25, "Sony ILCE-QX1")
    assert isinstance(corridor, Foreign)
    assert corridor.kind == "CorridorScan"
    assert structure.items is None


def test_what_is_changed_is_all_that_changes():
    draft = drafted(FULL)
    first = draft.plan.items[0]
    params = (*first.params[:6], 35.5)
    draft.put(msgspec.structs.replace(first, params=params))
    expected = copy.deepcopy(FULL)
    item = expected["mission"]["items"][0]
    item["params"][6] = item["Altitude"] = 35.5
    assert written(draft) == expected


def test_a_survey_that_is_changed_is_laid_out_again():
    draft = drafted(FULL)
    survey = next(e for e in draft.plan.items if isinstance(e, Survey))
    draft.put(msgspec.structs.replace(survey, angle=0.0))
    before, after = FULL["mission"]["items"][2], written(draft)["mission"]["items"][2]
    inner = after["TransectStyleComplexItem"]
    assert (
        inner["VisualTransectPoints"] != before["TransectStyleComplexItem"]["VisualTransectPoints"]
    )
    assert [i["doJumpId"] for i in inner["Items"]] == [*range(3, 3 + len(inner["Items"]))]
    assert inner["CameraCalc"]["CameraName"] == "Sony ILCE-QX1"
    assert inner["CameraCalc"]["x-unknown"] == [1]
    assert {k: v for k, v in after.items() if k not in ("TransectStyleComplexItem", "angle")} == {
        k: v for k, v in before.items() if k not in ("TransectStyleComplexItem", "angle")
    }


def test_a_survey_of_another_kind_is_not_changed():
    plan = copy.deepcopy(FULL)
    plan["mission"]["items"][2]["TransectStyleComplexItem"]["HoverAndCapture"] = True
    draft = drafted(plan)
    with pytest.raises(PlanError, match="asks for HoverAndCapture"):
        draft.put(msgspec.structs.replace(draft.plan.items[2], angle=0.0))
    assert written(draft) == plan


def test_jumps_follow_the_ids_of_the_file():
    plan = copy.deepcopy(FULL)
    for item in plan["mission"]["items"]:
        if "doJumpId" in item:
            item["doJumpId"] += 100
    jump = next(i for i in plan["mission"]["items"] if i.get("command") == 177)
    jump["params"][0] = plan["mission"]["items"][1]["doJumpId"]
    (flying,) = [one.item for one in flown(read(plan)) if one.item.command == 177]
    assert flying.params[0] == 2


def test_a_height_that_only_terrain_data_tell():
    plan = copy.deepcopy(FULL)
    plan["mission"]["items"][0] |= {"AltitudeMode": 3, "frame": 0}
    plan["mission"]["items"][0]["params"][6] = None
    draft = drafted(plan)
    assert written(draft) == plan
    with pytest.raises(PlanError, match="mission item 1: its altitude is not known"):
        lists(draft.plan)


def test_a_draft_without_home():
    draft = Draft()
    with pytest.raises(PlanError, match="Set home first"):
        write_plan(draft.plan, None)
    assert json.loads(write_plan(draft.plan, Home(1.0, 2.0, 3.0)))["mission"][
        "plannedHomePosition"
    ] == [1, 2, 3]


def change(path, value):
    """Return the plan with one value set, or dropped if it is Ellipsis."""
    plan = copy.deepcopy(FULL)
    at = plan
    for key in path[:-1]:
        at = at[key]
    if value is ...:
        del at[path[-1]]
    else:
        at[path[-1]] = value
    return plan


ITEMS = ("mission", "items")
INNER = (*ITEMS, 2, "TransectStyleComplexItem")


@pytest.mark.parametrize(
    ("path", "value", "why"),
    [
        (("fileType",), "Mission", "fileType = 'Mission'; allowed: 'Plan'"),
        (("version",), 2, "version = 2; allowed: 1"),
        (("version",), "1", "Expected `int`, got `str` - at `version`"),
        (("mission",), ..., "missing required field `mission`"),
        (("mission", "version"), 1, "mission.version = 1; allowed: 2"),
        (("mission", "items"), {}, "at `mission.items`"),
        (("mission", "hoverSpeed"), 0, "at `mission.hoverSpeed`"),
        (("mission", "plannedHomePosition"), [1, 2], "at `mission.plannedHomePosition`"),
        (("mission", "plannedHomePosition"), [91, 2, 3], "at `mission.plannedHomePosition[0]`"),
        ((*ITEMS, 0, "type"), "Simple", "mission.items[0].type = 'Simple'"),
        ((*ITEMS, 0, "command"), 70000, "at `mission.items[0].command`"),
        ((*ITEMS, 0, "command"), True, "at `mission.items[0].command`"),
        ((*ITEMS, 0, "params"), [0] * 6, "at `mission.items[0].params`"),
        ((*ITEMS, 0, "params"), [0] * 8, "at `mission.items[0].params`"),
        ((*ITEMS, 0, "params", 0), "0", "at `mission.items[0].params[0]`"),
        ((*ITEMS, 0, "params", 0), 1e300, "at `mission.items[0].params[0]`"),
        ((*ITEMS, 0, "params", 4), 91, "mission.items[0]: place 91.0"),
        ((*ITEMS, 0, "params", 6), 1e6, "mission.items[0]: altitude 1e+06"),
        ((*ITEMS, 0, "frame"), 22, "at `mission.items[0].frame`"),
        ((*ITEMS, 2, "version"), 9, "mission.items[2].version = 9; allowed: 4 or 5"),
        ((*ITEMS, 2, "polygon"), [[1, 2]], "at `mission.items[2].polygon`"),
        (INNER, ..., "mission.items[2].TransectStyleComplexItem"),
        ((*INNER, "CameraCalc"), [], "mission.items[2].TransectStyleComplexItem.CameraCalc"),
        ((*INNER, "CameraCalc", "AdjustedFootprintSide"), 0, "AdjustedFootprintSide"),
        ((*INNER, "Items", 0, "command"), -1, "TransectStyleComplexItem.Items[0].command"),
        ((*ITEMS, 5, "complexItemType"), 7, "mission.items[5].complexItemType = 7"),
        (("geoFence", "version"), 1, "geoFence.version = 1; allowed: 2"),
        (("geoFence", "polygons", 0, "polygon"), [], "at `geoFence.polygons[0].polygon`"),
        (("geoFence", "polygons", 0, "version"), 2, "geoFence.polygons[0].version = 2"),
        (("geoFence", "circles", 0, "circle", "radius"), 0, "geoFence.circles[0].circle.radius"),
        (("geoFence", "circles", 0, "inclusion"), 1, "at `geoFence.circles[0].inclusion`"),
        (("rallyPoints", "version"), 1, "rallyPoints.version = 1; allowed: 2"),
        (("rallyPoints", "points", 0), [1, 2], "at `rallyPoints.points[0]`"),
    ],
)
def test_refused_by_name(path, value, why):
    with pytest.raises(PlanError) as error:
        read(change(path, value))
    assert why in str(error.value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        "{",
        "[" * 100_000,
        '{"fileType": NaN}',
        json.dumps(FULL).replace("25", "NaN", 1),
        json.dumps(FULL).replace("25", "1e999", 1),
        json.dumps(FULL) + " " * MAX_CHARACTERS,
        b"\xff\xfe",
    ],
)
def test_what_is_no_plan(text):
    with pytest.raises(PlanError):
        read_plan_untrusted(text)


def places(value, path=()):
    """Yield the path of every value in JSON."""
    yield path
    if isinstance(value, dict | list):
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        for key, each in pairs:
            yield from places(each, (*path, key))


PATHS = [path for path in places(FULL) if path]
strange = st.sampled_from(
    (..., None, True, "", "x", -1, 0, 0.5, 3, 10**25, -(10**400), 1e308, [], {}, [[]], [None] * 7)
)


@settings(max_examples=300)
@given(st.sampled_from(PATHS), strange)
def test_any_value_anywhere(path, value):
    """It is refused by name or read, and what is read can be written, kept and compared."""
    draft = Draft()
    try:
        draft.replace(read(change(path, value)))
    except PlanError:
        assert draft.plan == Draft().plan
        return
    Draft.decode(draft.encode())
    again = read_plan_untrusted(write_plan(draft.plan, None))
    assert len(flown(again)) == len(flown(draft.plan))


@given(st.text(max_size=200) | st.binary(max_size=200))
def test_any_text(text):
    with pytest.raises(PlanError):
        read_plan_untrusted(text)
