"""What should reach the autopilot's line, written out: lists that know nothing of the code.

`everything` pairs each frame to try with what should become of it in each flight state.
"""

import struct

from pymavlink.dialects.v20 import ardupilotmega as mavlink

from tests.e2e.link_end import ARMED, DISARMED, SILENT, frame_of, pack

STATES = (DISARMED, ARMED, SILENT)
# What happens while disarmed, armed, and not heard: F forwarded, 2 asked back, S asked back from a
# supervisor and refused from others, - refused.
ALWAYS, NEVER, GROUND = "FFF", "---", "F--"
TWO, TWO_GROUND, TWO_FLYING, PLAN = "222", "2--", "F22", "FSS"

# Messages whose payload is all zeros: COMMAND_LONG carries no command then, SET_MODE no mode.
MESSAGES_FORWARDED = {
    *(0, 4, 111),  # presence, link
    *(69, 70, 82, 84, 86),  # sticks, setpoints
    *(20, 21, 23, 320, 321),  # parameters
    *(37, 38, 40, 41, 43, 44, 45, 47, 51, 161, 176, 134, 135),  # plans, terrain
    *(66, 183, 110, 117, 119, 122),  # telemetry, files, logs
    *(154, 155, 156, 157, 282, 287, 288),  # camera, gimbal
}
MESSAGES_GROUND = {77}

COMMANDS_FORWARDED = {
    *(17, 20, 21, 22, 84, 85, 115, 178, 188, 189, 192, 193, 224, 300, 601, 10001),  # fly
    *(400, 401),  # arm, checks
    *(410, 510, 512, 519, 520, 521, 522, 525, 527, 528, 2002, 2504, 2505, 42428),  # requests
    *(195, 197, 198, 201, 204, 205, 1000, 1001),  # region of interest, gimbal
    *(200, 202, 203, 206, 214, 529, 530, 531, 532, 533, 534, 2000, 2001, 2003, 2004, 2005, 2010),
    *(2500, 2501, 2502, 2503),  # camera
}
COMMANDS_GROUND = {241, 42425, 42426, 42429}
COMMANDS_TWO = {181, 182, 183, 184, 208, 211, 216, 2520, 42007, 42600}
COMMANDS_TWO_GROUND = {526, 5300, 42006, 42424}
# Those that depend on what is in them, with all parameters zero, and with param1 = 1.
COMMANDS_ZERO = {176: NEVER, 185: NEVER, 207: TWO, 246: NEVER, 511: NEVER, 179: TWO_FLYING}
COMMANDS_ONE = {176: ALWAYS, 185: TWO, 207: ALWAYS, 246: TWO_GROUND, 511: ALWAYS, 179: TWO_FLYING}

ITEMS = {
    *(16, 17, 18, 19, 20, 21, 22, 30, 31, 36, 82, 84, 85, 92, 93, 42703),  # where to fly
    *(112, 113, 114, 115, 177, 178, 188, 189, 215, 222, 600, 601),  # order, speed
    *(195, 197, 198, 201, 202, 203, 205, 206, 214, 531, 532, 534, 1000, 2000, 2001, 2500, 2501),
}
FENCE_ITEMS = {5000, 5001, 5002, 5003, 5004}
RALLY_ITEMS = {5100}

COMMANDS = sorted(
    number for number, entry in mavlink.enums["MAV_CMD"].items() if entry.name != "MAV_CMD_ENUM_END"
)
OTHERS = (0, 1, 15, 199, 999, 2999, 31100, 65535)  # no commands


def expected_command(number, special):
    if number in special:
        return special[number]
    for numbers, outcome in (
        (COMMANDS_FORWARDED, ALWAYS),
        (COMMANDS_GROUND, GROUND),
        (COMMANDS_TWO, TWO),
        (COMMANDS_TWO_GROUND, TWO_GROUND),
    ):
        if number in numbers:
            return outcome
    return NEVER


def long(number, *params, target=(1, 1), **source):
    values = [*params, *[0] * (7 - len(params))]
    return pack(mavlink.MAVLink_command_long_message(*target, number, 0, *values), **source)


def integer(number, *params, target=(1, 1)):
    p = [*params, *[0] * (7 - len(params))]
    message = mavlink.MAVLink_command_int_message(
        *target, 3, number, 0, 0, *p[:4], int(p[4]), int(p[5]), p[6]
    )
    return pack(message)


def item(number, kind, current=0, param1=0.0, whole=True):
    make = (
        mavlink.MAVLink_mission_item_int_message if whole else mavlink.MAVLink_mission_item_message
    )
    zero = 0 if whole else 0.0
    return pack(make(1, 1, 3, 3, number, current, 1, param1, 0, 0, 0, zero, zero, 0, kind))


def parameter(name, value=1.0):
    payload = struct.pack("<fBB16sB", value, 1, 1, name, 9)
    return frame_of(23, payload, 168)


def file(opcode):
    payload = [0, 0, 0, opcode, *[0] * 247]
    return pack(mavlink.MAVLink_file_transfer_protocol_message(0, 1, 1, payload))


def plan(kind):
    return [
        pack(mavlink.MAVLink_mission_count_message(1, 1, 3, kind)),
        pack(mavlink.MAVLink_mission_clear_all_message(1, 1, kind)),
        pack(mavlink.MAVLink_mission_write_partial_list_message(1, 1, 0, 1, kind)),
    ]


def mode(base, custom):
    return pack(mavlink.MAVLink_set_mode_message(1, base, custom))


NAN, INFINITY = float("nan"), float("inf")


def messages():
    for number, message in sorted(mavlink.mavlink_map.items()):
        frame = frame_of(number, b"\0", message.crc_extra)
        if number in MESSAGES_FORWARDED:
            yield frame, ALWAYS
        else:
            yield frame, GROUND if number in MESSAGES_GROUND else NEVER


def commands():
    for number in (*COMMANDS, *OTHERS):
        for make in (long, integer):
            yield make(number), expected_command(number, COMMANDS_ZERO)
            yield make(number, 1), expected_command(number, COMMANDS_ONE)


def items():
    for number in (*COMMANDS, *OTHERS):
        for whole in (True, False):
            for kind, allowed in (
                (0, ITEMS),
                (1, FENCE_ITEMS),
                (2, RALLY_ITEMS),
                (3, ()),
                (255, ()),
            ):
                yield item(number, kind, whole=whole), ALWAYS if number in allowed else NEVER
            for current in (2, 3):
                yield item(number, 0, current, whole=whole), ALWAYS if number == 16 else NEVER
    yield item(207, 0, param1=1.0), ALWAYS
    for current, passes in ((0, 1), (1, 1), (2, 1), (3, 1), (4, 0), (255, 0)):
        yield item(16, 0, current), ALWAYS if passes else NEVER


def contents():
    """Parameters of commands, parameters by name, files, plans, modes."""
    yield from (
        (long(400, 1, 21196), TWO),
        (long(400, 1, 2989), TWO),
        (long(400, 0, 21196), TWO),
        (long(400, 1, 1e-30), TWO),
        (integer(400, 0, 21196), TWO),
        (long(400, NAN), NEVER),
        (long(400, 1, NAN), NEVER),
        (long(185, 0.5), NEVER),
        (long(185, 0.6), TWO),
        (long(207, 2), TWO),
        (long(207, 1.5), TWO),
        (long(246, 1, 1), NEVER),
        (long(246, 3), NEVER),
        (long(246, 1, 0, 0, 0, 0, 20190226), NEVER),
        (long(241, 0, 0, 0, 0, 0, 1), NEVER),
        (long(241, 0, 0, 0, 0, 0, 0, 1), NEVER),
        (long(241, 0, 76), TWO_GROUND),
        (long(241, 0, 0, 0, 0, 76), TWO_GROUND),
        (long(241, 0, 0, 0, 0, 76.5), TWO_GROUND),
        (integer(241, 0, 0, 0, 0, 76), TWO_GROUND),
        (long(241, 0, 0, 0, 0, 4), GROUND),
        (long(176, 1, 6), ALWAYS),
        (long(176, 128, 1), NEVER),  # would stop the outputs
        (long(176, 129, 4), ALWAYS),
        (long(176, -1, 4), NEVER),
        (long(511, 0.9, 1e6), NEVER),  # cut off at the point, it is HEARTBEAT
        (long(511, 33, 1e6), ALWAYS),
        (long(511, 2.0**32, 1e6), NEVER),
        (long(21, 0, 0, 0, NAN, NAN, NAN, NAN), ALWAYS),
        (long(22, 0, 0, 0, NAN, 0, 0, INFINITY), NEVER),
        (long(192, -1, NAN), NEVER),
        (long(1000, NAN, 1, NAN, NAN), ALWAYS),
        (long(1000, INFINITY), NEVER),
        (mode(1, 4), ALWAYS),
        (mode(129, 6), ALWAYS),
        (mode(128, 1), NEVER),
        (mode(0, 4), NEVER),
    )
    for name in (
        *(b"FS_GCS_ENABLE", b"fs_gcs_enable", b"Fence_Enable", b"ARMING_CHECK", b"SYSID_MYGCS"),
        *(b"MAV_GCS_SYSID", b"MAV1_OPTIONS", b"RC7_OPTION", b"rc_override_time", b"RCMAP_THROTTLE"),
        *(b"BATT_FS_LOW_ACT", b"BATT2_CRT_VOLT", b"EK3_SRC1_POSXY", b"GPS1_TYPE", b"SERIAL1_BAUD"),
        *(b"SCR_ENABLE", b"NET_ENABLE", b"CAN_P1_DRIVER", b"BRD_SAFETY_MASK", b"FLTMODE1"),
        *(b"GUID_TIMEOUT", b"MOT_SPIN_ARM", b"SERVO1_FUNCTION", b"LOG_DISARMED", b"DID_ENABLE"),
        *(b"FORMAT_VERSION", b"RALLY_INCL_HOME", b"FS_GCS_ENABLE\0XX", b"FS_ABCDEFGHIJKLM"),
        *(b"AUTO_OPTIONS\0XYZ", b"auto_options\0", b"BATT_MONITOR\0ABC"),
    ):
        yield parameter(name), TWO_GROUND
    for name in (b"RTL_ALT", b"LAND_SPEED", b"srtl_points"):
        yield parameter(name), TWO_FLYING
    for name in (b"WPNAV_SPEED", b"ATC_RAT_RLL_P", b"XFS_GCS_ENABLE", b"\0FS_GCS_ENABLE", b""):
        yield parameter(name), ALWAYS
    for value in (NAN, INFINITY, -INFINITY):
        yield parameter(b"WPNAV_SPEED", value), NEVER
    for opcode in range(256):
        yield file(opcode), ALWAYS if opcode in (0, 1, 2, 3, 4, 5, 14, 15) else NEVER
    for frame in plan(0):
        yield frame, ALWAYS
    for kind in (1, 2, 255):
        for frame in plan(kind):
            yield frame, PLAN


def ways():
    """Where a frame comes from and goes to, and how it is written."""
    for number, outcome in ((400, ALWAYS), (209, NEVER), (208, TWO), (526, TWO_GROUND)):
        for component in (0, 1, 77, 190):
            for system in (0, 1):
                yield long(number, 1, target=(system, component)), outcome
            yield long(number, 1, target=(7, component)), NEVER
            yield integer(number, 1, target=(255, component)), NEVER
    for compid in range(256):
        passes = compid in (0, 190, 230) or 25 <= compid < 100
        yield long(400, 1, compid=compid), ALWAYS if passes else NEVER
    for sysid in (0, 2, 254):
        yield long(400, 1, sysid=sysid), ALWAYS
    for number in (0, 4, 76):
        extra = mavlink.mavlink_map[number].crc_extra
        yield frame_of(number, b"\1", extra, sysid=1), NEVER
        yield frame_of(number, b"\1", extra, sysid=1, compid=191), NEVER
        yield frame_of(number, b"\1", extra, incompat=1) + bytes(13), NEVER  # signed
        yield frame_of(number, b"\1", extra, incompat=2), NEVER
        yield frame_of(number, bytes(255), extra), NEVER  # fields that are not known
    arm = long(400, 1)
    yield bytes((*arm[:-1], arm[-1] ^ 1)), NEVER
    # Absent fields are zeros: no target addresses everyone, no mission_type is a mission.
    for size in range(1, 31):
        carries = size >= 30  # the number of the command: 400 is two bytes
        yield frame_of(76, long(400, 1)[10 : 10 + size], 152), ALWAYS if carries else NEVER
    yield frame_of(44, b"", 221), ALWAYS
    yield frame_of(110, b"", 84), ALWAYS
    yield frame_of(110, bytes((0, 1, 1, 0, 0, 0, 7)), 84), NEVER  # WriteFile, and nothing to write
    yield frame_of(23, struct.pack("<fBB", 1, 1, 1) + b"FS_", 168), TWO_GROUND


def everything():
    return [*messages(), *commands(), *items(), *contents(), *ways()]


def outcome(expected, state, role):
    letter = expected[STATES.index(state)]
    if letter == "S":
        return "2" if role == "supervisor" else "-"
    return letter
