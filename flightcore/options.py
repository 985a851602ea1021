"""What the owner of a drone may choose about its link."""

from dataclasses import dataclass
from typing import Final

from flightcore.offboard.pilot import Form
from flightcore.offboard.worth import DEFAULT_ABILITY, Ability
from flightcore.policy import BUILT_IN, RADIO_LIMITS, WIFI_LIMITS, AgeLimits, Policy
from flightcore.prearm import PrearmOptions
from wire.recorder import When


@dataclass(frozen=True, slots=True)
class Options:
    """What the owner may choose. `radio_rate` is in bytes/s."""

    udp_limits: AgeLimits
    radio_limits: AgeLimits
    radio_rate: int
    pads_downlink: bool
    dual_control: bool
    prearm: PrearmOptions
    asks_rates: bool = False  # of the autopilot, the messages that the companion needs
    policy: Policy = BUILT_IN
    record: When = When.OFF
    purges: bool = False  # mission, fence and rally points after landing
    ability: Ability = DEFAULT_ABILITY  # what a trajectory may ask for
    setpoints: Form = Form.ATTITUDE


DEFAULT_OPTIONS: Final = Options(
    udp_limits=WIFI_LIMITS,
    radio_limits=RADIO_LIMITS,
    radio_rate=5760,
    pads_downlink=False,
    dual_control=False,
    prearm=PrearmOptions(),
)
