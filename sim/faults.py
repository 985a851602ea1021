"""What the SIM_ parameters say is wrong with sensors and motors, under ArduPilot's names."""

import math
from typing import Final

from sim.autopilot.parameters import Parameters
from sim.control.vector import Vec3
from sim.geodesy import METRES_PER_E7, Place
from sim.sensors.gnss import Receiver
from sim.sensors.inertial import ImuFaults
from sim.sensors.suite import Faults
from sim.sensors.surroundings import BaroFaults

# The offsets of the first compass that ArduPilot's simulator adds and its parameters take away.
_IRON_KNOWN: Final[Vec3] = (5.0, 13.0, -18.0)


def faults_of(parameters: Parameters, start: Place) -> Faults:
    """Return the faults that the parameters ask for now."""
    p, best = parameters, Faults()
    iron = _three(p, "SIM_MAG1_OFS_")
    return Faults(
        receiver=_receiver(p, start),
        rate_hz=min(max(p["SIM_GPS1_HZ"], 1.0), 50.0),
        imu=ImuFaults(
            force_noise=max(p["SIM_ACC1_RND"], best.imu.force_noise),
            rate_noise=max(math.radians(p["SIM_GYR1_RND"]), best.imu.rate_noise),
            force_bias=_three(p, "SIM_ACC1_BIAS_"),
            rate_bias=_three(p, "SIM_GYR1_BIAS_"),
            # Motors shake if they are given a frequency; how much, as there, by the noise.
            vibration=p["SIM_ACC1_RND"] * p["SIM_VIB_MOT_MULT"] if p["SIM_VIB_MOT_MAX"] else 0.0,
        ),
        baro=BaroFaults(
            noise=max(p["SIM_BARO_RND"], best.baro.noise),
            drift=p["SIM_BARO_DRIFT"],
            glitch=p["SIM_BARO_GLITCH"],
            frozen=bool(p["SIM_BARO_FREEZE"]),
        ),
        magnetic_noise=max(p["SIM_MAG_RND"], best.magnetic_noise),
        iron_b=(
            iron[0] - _IRON_KNOWN[0],
            iron[1] - _IRON_KNOWN[1],
            iron[2] - _IRON_KNOWN[2],
        ),
        range_noise=p["SIM_SONAR_RND"],
        range_glitch=p["SIM_SONAR_GLITCH"],
    )


def rotor_health(parameters: Parameters, rotors: int) -> list[float]:
    """Return the share of its forces each rotor gives: SIM_ENGINE_FAIL is a mask of motors."""
    failing = parameters.bits("SIM_ENGINE_FAIL")
    share = min(max(parameters["SIM_ENGINE_MUL"], 0.0), 1.0)
    return [share if failing >> i & 1 else 1.0 for i in range(rotors)]


def _receiver(p: Parameters, start: Place) -> Receiver:
    per_degree = 1e7 * METRES_PER_E7
    shrink = math.cos(math.radians(start.lat_deg_e7 * 1e-7))
    north, east, up = _three(p, "SIM_GPS1_GLTCH_")
    return Receiver(
        enabled=bool(p["SIM_GPS1_ENABLE"]),
        jammed=bool(p["SIM_GPS1_JAM"]),
        lag_s=min(max(p["SIM_GPS1_LAG_MS"] * 1e-3, 0.0), 1.0),
        offset_n=(north * per_degree, east * per_degree * shrink, -up),
        velocity_offset_n=_three(p, "SIM_GPS1_VERR_"),
        satellites=int(p["SIM_GPS1_NUMSATS"]),
        accuracy=max(p["SIM_GPS1_ACC"], 0.0),
    )


def _three(p: Parameters, prefix: str) -> Vec3:
    return p[prefix + "X"], p[prefix + "Y"], p[prefix + "Z"]
