"""Every rung of the failsafe ladder, with the real companion and an autopilot that flies.

Mutants killed: presence with the age limit of commands; any station counts as the holder; RTL and
LAND not left alone; a vehicle on the ground commanded; an operator's own RTL turned into LAND; a
pilot's second return turned too; the wait counted from T0 after a stop.
"""

import itertools

import pytest

from crypto.pair import Role
from flightcore.failsafe import TRIES, Phase
from tests.flying import BRAKE, GUIDED, LAND, LOITER, RTL, FlyingWorld, presence, set_mode
from tests.world import MS, S, command

pytestmark = pytest.mark.slow

T1, FS_GCS_TIMEOUT = S, 5 * S


def sabotage(world):
    """Switch the autopilot's own failsafe off where nobody sees it."""
    world.flying_end.sim.autopilot.parameters.store("FS_GCS_ENABLE", 0)


def state(world):
    return world.companion.watch.failsafe.phase


@pytest.fixture
def world(random_bytes):
    world = FlyingWorld(random_bytes, roles={"a": Role.COMMANDER, "b": Role.COMMANDER})
    world.up = lambda name, datagram, path: [datagram] if name == "a" else []
    world.run(1000)
    world.restore()
    return world


@pytest.mark.parametrize("mode", [GUIDED, LOITER])
def test_the_autopilots_own_failsafe_acts_and_the_companion_does_not(world, mode):
    world.fly(mode, height=15)
    lost_ns = world.cut()
    world.run(760)
    assert state(world) is Phase.UP
    world.run(260)
    assert state(world) is Phase.LOST
    assert world.companion.status(world.now).failsafe["link"] == "lost"
    assert any("is lost" in text for text in world.texts("b"))
    world.run(15_000)
    (changed_ns, changed_to) = world.flying_end.modes[-1]
    assert changed_to == RTL
    assert changed_ns - lost_ns <= T1 + FS_GCS_TIMEOUT + S
    assert state(world) is Phase.SETTLED
    assert world.commanded() == []
    # When the link comes back it is said, and the mode stays.
    world.restore()
    world.run(3000)
    assert state(world) is Phase.UP
    assert world.vehicle.mode == RTL
    assert any(text.startswith("Link back after") for text in world.texts("a"))


def test_the_companion_acts_if_the_autopilot_does_not(world):
    world.fly(GUIDED)
    sabotage(world)
    lost_ns = world.cut()
    world.run(12_000)
    ((commanded_ns, mode),) = world.commanded()
    assert mode == RTL
    # The last frame before the cut came up to a keepalive's 200 ms before it.
    assert abs(commanded_ns - (lost_ns + T1 + FS_GCS_TIMEOUT + 2 * S)) <= 250 * MS
    assert world.vehicle.mode == RTL
    status = world.companion.status(world.now).failsafe
    assert (status["state"], status["last_result"]) == ("settled", "mav_result_accepted")
    assert "RTL 1/5" in status["last_action"]


def test_it_lands_if_gnss_is_suspected(world):
    world.fly(GUIDED)
    sabotage(world)
    world.suspect()
    world.cut()
    world.run(12_000)
    assert [mode for _, mode in world.commanded()] == [LAND]
    assert world.vehicle.mode == LAND


def test_what_is_not_followed_is_repeated_a_bounded_number_of_times_and_then_it_lands(world):
    world.fly(GUIDED)
    sabotage(world)
    world.vehicle.set_mode = lambda mode: False
    world.cut()
    world.run(30_000)
    assert [mode for _, mode in world.commanded()] == [RTL] * TRIES + [LAND] * TRIES
    times = [when for when, _ in world.commanded()]
    assert all(b - a >= S for a, b in itertools.pairwise(times))
    assert state(world) is Phase.SETTLED
    assert any("not followed" in text for text in world.texts("b"))


def test_a_pilot_who_takes_over_is_not_fought(world):
    world.fly(GUIDED)
    world.cut()
    world.until(lambda: world.vehicle.mode == RTL, 8000)
    world.run(1500)
    world.vehicle.set_mode(type(world.vehicle.mode)(LOITER))  # by radio control
    world.run(20_000)
    assert world.vehicle.mode == LOITER
    assert world.commanded() == []


@pytest.mark.parametrize("mode", [LAND, RTL])
def test_who_is_ending_the_flight_already_is_left_alone(world, mode):
    world.fly(GUIDED)
    sabotage(world)
    world.station().send([set_mode(mode)], world.now)
    world.run(300)
    world.cut()
    world.run(9000)
    assert world.commanded() == []


def test_on_the_ground_nothing_is_needed_and_a_later_flight_by_radio_control_is_left_alone(world):
    world.run(4000)
    sabotage(world)
    world.cut()
    world.run(10_000)
    assert state(world) is Phase.SETTLED
    world.vehicle.set_mode(type(world.vehicle.mode)(GUIDED))
    world.vehicle.arm(force=True)
    world.vehicle.takeoff(5.0)
    world.run(15_000)
    assert world.commanded() == []


def test_it_sleeps_until_a_holder_has_been_heard(world):
    """The companion restarts in flight and the ground is gone: the autopilot's failsafe flies."""
    world.fly(GUIDED)
    world.cut()
    world.companion.watch.failsafe.phase = Phase.UP
    world.boot()
    sabotage(world)
    world.run(20_000)
    assert state(world) is Phase.ASLEEP
    assert world.commanded() == []


def test_after_a_restart_with_the_ground_there_it_watches_again(world):
    world.fly(GUIDED)
    world.boot()
    world.run(4000)
    assert state(world) is Phase.UP
    sabotage(world)
    world.cut()
    world.run(12_000)
    assert [mode for _, mode in world.commanded()] == [RTL]


def test_a_line_that_is_gone_and_comes_back_in_flight(world):
    world.fly(GUIDED)
    sabotage(world)
    world.cut()
    world.run(3000)
    world.flying_end.is_cut = True
    world.companion.line_lost()
    world.run(10_000)
    assert world.commanded() == []  # nobody is there to be told
    world.flying_end.is_cut = False
    world.run(3000)
    assert [mode for _, mode in world.commanded()] == [RTL]


def test_the_station_that_counts_is_the_one_in_command(world):
    """b is heard all the time, and it is not what is waited for."""
    world.fly(GUIDED)
    sabotage(world)
    world.cut("a")
    world.run(12_000)
    assert [mode for _, mode in world.commanded()] == [RTL]


def test_a_companion_that_was_stopped_first_looks(world):
    world.fly(GUIDED)
    sabotage(world)
    world.cut()
    world.now += 30 * S
    world.run(1000)
    assert state(world) is Phase.LOST
    assert world.commanded() == []
    world.run(7000)
    assert [mode for _, mode in world.commanded()] == [RTL]


def test_under_suspicion_a_return_that_nobody_asked_for_becomes_a_landing(world):
    world.fly(GUIDED)
    world.suspect()
    world.cut()
    world.run(8000)
    assert [mode for _, mode in world.flying_end.modes[-2:]] == [RTL, LAND]
    assert [mode for _, mode in world.commanded()] == [LAND]
    # A pilot who returns all the same has the last word.
    world.vehicle.set_mode(type(world.vehicle.mode)(RTL))
    world.run(6000)
    assert world.vehicle.mode == RTL


def test_a_fence_that_starts_a_return_with_the_link_up(world):
    world.fly(GUIDED)
    world.suspect()
    world.run(10_000)
    world.vehicle.set_mode(type(world.vehicle.mode)(RTL))  # as a fence breach does
    world.run(1500)
    assert world.vehicle.mode == LAND


@pytest.mark.parametrize("way", [set_mode(RTL), command(20)])
def test_an_operators_own_return_passes_with_a_warning_until_the_link_is_lost(world, way):
    world.fly(GUIDED)
    world.suspect()
    world.station().send([way], world.now)
    world.run(3000)
    assert world.vehicle.mode == RTL
    assert world.commanded() == []
    assert any(text.startswith("GNSS suspect: RTL follows") for text in world.texts("a"))
    world.cut()
    world.run(2500)
    assert [mode for _, mode in world.commanded()] == [LAND]
    assert world.vehicle.mode == LAND


def test_suspicion_alone_commands_nothing(world):
    world.fly(GUIDED)
    world.suspect()
    world.run(10_000)
    assert world.commanded() == []
    assert world.vehicle.mode == GUIDED


@pytest.mark.parametrize("delay_ms", [0, 300, 800, 990])
def test_presence_that_is_held_back_prolongs_nothing_beyond_the_bound(world, delay_ms):
    """Measured from when the ground made its last frame, however late it was let through."""
    world.fly(GUIDED)
    held = []

    def late(name, datagram, path):
        held.append((world.now + delay_ms * MS, name, datagram, path))
        return []

    world.up = late
    world.station().send([presence()], world.now)
    made_ns = world.now
    world.exchange()
    world.cut()
    for _ in range(1000):
        world.run(10)
        for item in [item for item in held if item[0] <= world.now]:
            held.remove(item)
            world.receive_up(item[1], item[2], item[3])
    assert world.vehicle.mode in (RTL, LAND)
    assert world.flying_end.modes[-1][0] - made_ns <= T1 + FS_GCS_TIMEOUT + S


def test_presence_older_than_t1_does_not_pass(world):
    world.fly(GUIDED)
    held = []
    world.up = lambda name, datagram, path: held.append(datagram) or []
    mark = presence()
    world.station().send([mark], world.now)
    world.exchange()
    world.cut()
    world.run(1100)
    world.line.clear()
    for datagram in held:
        world.receive_up("a", datagram)
    world.write()
    assert world.line == []
    assert state(world) is Phase.LOST
    assert world.companion.stations["a"].uplink.dropped["stale"] >= 1


def test_brake_does_not_end_a_flight(world):
    world.fly(GUIDED)
    sabotage(world)
    world.station().send([set_mode(BRAKE)], world.now)
    world.run(300)
    world.cut()
    world.run(12_000)
    assert [mode for _, mode in world.commanded()] == [RTL]
