"""The rows of parameters by pattern, the first that matches decides; and of file operations.

ArduPilot finds parameters whatever their case, so patterns are matched in upper case. Source of the
names: ArduCopter's parameter list; of file operations: https://mavlink.io/en/services/ftp.html
"""

from typing import Final

from flightcore.policy.rows import (
    ON_GROUND,
    REFUSE,
    TRANSFER,
    Does,
    Group,
    Row,
    Rule,
    rows,
)
from flightcore.policy.verdicts import Freshness

_TWO_STEPS = Rule(Does.TWO_STEP, Freshness.TRANSFER)
_GUARDED = Rule(Does.TWO_STEP, Freshness.TRANSFER, ON_GROUND)
_ASKED_IN_FLIGHT = Rule(Does.FORWARD, Freshness.TRANSFER, ON_GROUND, elsewhere=_TWO_STEPS)

PARAMETERS: Final = (
    Group(
        "Set on the ground, in two steps",
        (
            *rows(_GUARDED, "what a failsafe does, and when", "FS_* BATT*_FS_* BATT*_LOW_*"),
            *rows(_GUARDED, "when the battery is empty", "BATT*_CRT_* BATT*_ARM_*"),
            *rows(_GUARDED, "the battery's sensor", "BATT*_MONITOR BATT*_CAPACITY BATT*_VOLT_*"),
            *rows(_GUARDED, "keeps it inside and apart", "FENCE_* AVOID_* OA_* PRX* ADSB_*"),
            *rows(_GUARDED, "checks before arming", "ARMING_* AUTO_OPTIONS"),
            *rows(_GUARDED, "whom the autopilot obeys", "SYSID_* MAV* FLTMODE* INITIAL_MODE"),
            *rows(_GUARDED, "how long it obeys", "GUID_* GUIDED_*"),
            *rows(_GUARDED, "sticks, and switches that stop motors", "RC* BTN_*"),
            *rows(
                _GUARDED,
                "sensors and estimator",
                "GPS* EK2_* EK3_* AHRS_* EAHRS* INS_* COMPASS_* BARO* GND_* VISO_* BCN_* FLOW_* "
                "RNGFND* PLND_* ARSPD* TERRAIN_*",
            ),
            *rows(
                _GUARDED,
                "ports, pins, buses, network, scripts",
                "SERIAL* BRD_* CAN_* NET_* SCR_* RELAY* DDS_*",
            ),
            *rows(_GUARDED, "motors and outputs", "MOT_* SERVO* FRAME_* H_* CHUTE_*"),
            *rows(_GUARDED, "who the vehicle says it is", "DID_*"),
            *rows(_GUARDED, "logs are evidence", "LOG_*"),
            Row("RALLY_*", _GUARDED, "where a failsafe may go"),
            Row("FORMAT_VERSION", _GUARDED, "erases all parameters"),
        ),
    ),
    Group(
        "Asked back in flight",
        rows(_ASKED_IN_FLIGHT, "how a failsafe returns and lands", "RTL_* SRTL_* LAND_*"),
    ),
    Group("All others", (Row("*", TRANSFER, "tuning and payload"),)),
)

# The number of each operation of FILE_TRANSFER_PROTOCOL.
FILE_OPCODES: Final = {
    "None": 0,
    "TerminateSession": 1,
    "ResetSessions": 2,
    "ListDirectory": 3,
    "OpenFileRO": 4,
    "ReadFile": 5,
    "CreateFile": 6,
    "WriteFile": 7,
    "RemoveFile": 8,
    "CreateDirectory": 9,
    "RemoveDirectory": 10,
    "OpenFileWO": 11,
    "TruncateFile": 12,
    "Rename": 13,
    "CalcFileCRC32": 14,
    "BurstReadFile": 15,
}

# A file written to @PARAM or @MISSION would set parameters or missions unseen.
FILES: Final = (
    Group(
        "Read",
        rows(
            TRANSFER,
            "changes nothing aboard",
            "None TerminateSession ResetSessions ListDirectory OpenFileRO ReadFile CalcFileCRC32 "
            "BurstReadFile",
        ),
    ),
    Group(
        "Write",
        rows(
            REFUSE,
            "files aboard may only be read",
            "CreateFile WriteFile RemoveFile CreateDirectory RemoveDirectory OpenFileWO "
            "TruncateFile Rename",
        ),
    ),
)
