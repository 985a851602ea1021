"""A trajectory from a station's hands to the vehicle's motion, with real cores and a real fence.

Mutants killed: a repeated request carried out again; what was read of the fence relied on for ever;
what is being judged goes on when command changes; an observer told as a commander is; a request
is answered that left before, or one that left after makes the one before new.
"""

import pytest

from crypto.chunks import Kind
from crypto.pair import Role
from flightcore.trajectory.harmonic import orbit
from flightcore.trajectory.polynomial import line
from groundstation.tasking import Upload
from tests.flying import LOITER, set_mode
from tests.tasked import (
    HEIGHT,
    IN_CIRCLE,
    IN_POLYGON,
    OUT_CIRCLE,
    OUT_POLYGON,
    TaskedWorld,
    flying,
    square,
)
from tests.world import MS, S
from wire.authority import Verb
from wire.locality import RADIO
from wire.tasking import FlyReason, FlyState, FlyVerb
from wire.trajectory import Document, Polynomial, Turning, encode

pytestmark = pytest.mark.slow

ROOMY = [(-60, -60), (-60, 60), (60, 60), (60, -60)]
NEAR = [(8, -3), (8, 9), (20, 9), (20, -3)]
FAR = [(9, -3), (9, 9), (20, 9), (20, -3)]
POLYGON = {"FENCE_ENABLE": 1.0, "FENCE_TYPE": 7.0, "FENCE_ALT_MAX": 60.0, "FENCE_RADIUS": 100.0}


@pytest.fixture
def world(random_bytes):
    return flying(random_bytes)


def test_uploaded_started_paused_resumed_finished(world):
    document = world.document(square())
    assert world.upload(document) is Upload.LOADED
    told = world.told()
    assert (told.state, told.identity) == ("loaded", document.identity.hex())
    assert told.chunks_sent == told.chunks == 8
    assert abs(told.duration_s - document.duration) < 0.01
    world.run(1000)
    assert world.ask(FlyVerb.START, document.identity) == "done"
    world.until(lambda: world.state() is FlyState.RUNNING, 20_000)
    world.run(3000)
    assert world.ask(FlyVerb.PAUSE) == "done"
    world.run(3000)
    told = world.told()
    assert told.state == "paused"
    assert told.age_s < 1.5
    assert told.error_m is not None
    assert world.ask(FlyVerb.RESUME) == "done"
    world.until(lambda: world.state() is FlyState.FINISHED, 60_000)
    world.run(100)
    assert world.told().state == "finished"
    assert world.ask(FlyVerb.CLEAR) == "done"
    world.run(100)
    assert world.told().state == "empty"
    text = "\n".join(world.notes)
    for word in ("taken aboard", "START: done", "running", "PAUSE: done", "finished", "CLEAR"):
        assert word in text


def test_abort_hands_back_and_says_so(world):
    world.begin(world.document(square()))
    assert world.ask(FlyVerb.ABORT) == "done"
    world.run(200)
    told = world.told()
    assert (told.state, told.reason, told.text) == ("handed_back", "aborted", "aborted")


def test_wrong_verbs_are_refused_with_why(world):
    for verb, why in (
        (FlyVerb.START, "none is aboard"),
        (FlyVerb.PAUSE, "nothing is being flown: empty"),
        (FlyVerb.RESUME, "nothing is paused: empty"),
        (FlyVerb.ABORT, "nothing is being flown: empty"),
    ):
        assert world.ask(verb) == "refused"
        assert world.told().text == why
    document = world.document(square())
    assert world.upload(document) is Upload.LOADED
    assert world.ask(FlyVerb.START, b"another.") == "refused"
    assert world.told().text == f"aboard is {document.identity.hex()}"


def test_what_cannot_be_flown_is_refused_with_why(world):
    fast = world.document(orbit((0.0, 0.0, -HEIGHT), 10.0, 12.0))
    assert world.upload(fast) is Upload.REFUSED
    assert "acceleration is 14 m/s2; allowed: 6" in world.told().text
    still = Polynomial(5.0, Turning(), ((), (), (-HEIGHT,)))
    away = Polynomial(5.0, Turning(), ((3.0,), (), (-HEIGHT,)))
    jumps = Document(fast.reference, (still, away))
    assert world.upload(jumps) is Upload.REFUSED
    assert world.told().text == "its place jumps by 3 at 5.0 s"
    # The same again is judged again.
    assert world.upload(jumps) is Upload.REFUSED
    assert world.upload(world.document(square())) is Upload.LOADED
    assert world.told().text == ""


def test_bytes_that_are_no_trajectory_are_refused(world):
    world.task().offer(b"no trajectory at all", world.now)
    world.until(lambda: world.task().upload is Upload.REFUSED, 5000)
    assert "version 110" in world.told().text


@pytest.mark.parametrize(
    ("zones", "motion", "expected"),
    [
        ([(IN_POLYGON, ROOMY, 0)], square(), ""),
        ([(IN_POLYGON, ROOMY, 0)], square(north=52.5), "at "),
        (
            [(OUT_POLYGON, [(8, -3), (8, 9), (20, 9), (20, -3)], 0)],
            square(side=6.5),
            "an exclusion",
        ),
        ([(OUT_POLYGON, [(9, -3), (9, 9), (20, 9), (20, -3)], 0)], square(side=6.5), ""),
        ([(OUT_CIRCLE, [(3, 3)], 1.5)], square(), "an exclusion zone"),
        ([(IN_CIRCLE, [(0, 0)], 7.0)], square(), "an inclusion zone"),
        ([], square(north=96.0), "an inclusion zone"),  # the circle around home
        ([], line((0, 0, -HEIGHT), (0, 0, -58.2), 3.0, 1.0, 0.0), "the ceiling"),
        ([], line((0, 0, -HEIGHT), (0, 0, -57.5), 3.0, 1.0, 0.0), ""),
    ],
)
def test_the_fence_is_kept_with_its_margin(random_bytes, zones, motion, expected):
    world = flying(random_bytes, POLYGON)
    world.store_fence(*zones)
    found = world.upload(world.document(motion))
    text = world.told().text
    if expected:
        assert found is Upload.REFUSED
        assert expected in text
        assert "of the fence" in text
    else:
        assert found is Upload.LOADED, text


def test_without_a_fence_in_force_none_is_kept(random_bytes):
    world = flying(random_bytes, POLYGON)
    world.set_parameter("FENCE_ENABLE", 0.0)
    world.run(1500)
    world.store_fence((OUT_CIRCLE, [(3, 3)], 5.0))
    assert world.upload(world.document(square())) is Upload.LOADED


def test_the_way_to_the_first_point_keeps_the_fence(random_bytes):
    world = flying(random_bytes, POLYGON)
    world.store_fence((OUT_CIRCLE, [(15, 0)], 5.0))
    document = world.document(square(north=30.0))
    assert world.upload(document) is Upload.LOADED
    world.run(1000)
    assert world.ask(FlyVerb.START, document.identity) == "refused"
    assert world.told().text.startswith("on the way to where it begins it comes ")


def test_a_fence_that_was_changed_is_read_again(random_bytes):
    world = flying(random_bytes, POLYGON)
    document = world.document(square())
    assert world.upload(document) is Upload.LOADED
    world.run(500)
    # Another way than over this link: the operator's tool says so in its next mission transfer.
    world.store_fence((OUT_CIRCLE, [(3, 3)], 1.5))
    world.run(61_000)  # what was read is not relied on for longer
    assert world.ask(FlyVerb.START, document.identity) == "refused"
    assert "an exclusion zone" in world.told().text


def deafen(world):
    """The autopilot does not answer for fence items, as with another transfer under way."""
    take = world.flying_end.sim.receive

    def deaf(frame):
        if frame[7] != 43:
            take(frame)

    world.flying_end.sim.receive = deaf


def test_a_fence_that_does_not_answer_refuses(random_bytes):
    world = flying(random_bytes, POLYGON)
    deafen(world)
    world.store_fence((IN_POLYGON, ROOMY, 0))
    assert world.upload(world.document(square())) is Upload.REFUSED
    assert world.told().text == "the fence could not be read: its count was not answered"


def test_an_operators_mode_ends_it_and_the_station_is_told(world):
    world.begin(world.document(square()))
    world.station().send([set_mode(LOITER)], world.now)
    world.run(500)
    told = world.told()
    assert (told.state, told.reason) == ("handed_back", "operator")


def test_a_repeated_request_is_carried_out_once(world):
    world.begin(world.document(square()))
    assert world.ask(FlyVerb.PAUSE) == "done"
    world.run(2000)
    number = world.task()._number
    assert world.ask(FlyVerb.RESUME) == "done"
    world.task().request(FlyVerb.PAUSE, bytes(8), world.now)
    world.task()._request = world.task()._request._replace(number=number + 1)
    world.run(1000)  # the number of the RESUME, with another verb
    assert world.state() is FlyState.RUNNING


def test_a_request_whose_answers_are_lost_is_answered_in_the_next_session(world):
    document = world.document(square())
    assert world.upload(document) is Upload.LOADED
    world.run(1000)
    world.down = lambda name, datagram, path: []
    world.task().request(FlyVerb.START, document.identity, world.now)
    world.run(800)
    world.down = lambda name, datagram, path: [datagram]
    world.station()._link.rekey()
    world.until(lambda: not world.task().is_waiting, 5000)
    assert world.task().answer.name == "DONE"
    assert sum("START: done" in note for note in world.notes) == 1


def two_stations(random_bytes, parameters=None):
    roles = {"a": Role.COMMANDER, "b": Role.COMMANDER, "o": Role.OBSERVER}
    return flying(random_bytes, parameters, roles=roles)


def test_only_who_commands_uploads_and_asks(random_bytes):
    world = two_stations(random_bytes)
    document = world.document(square())
    for name in "b", "o":
        assert world.upload(document, name) is Upload.FAILED
        assert world.told(name).text == "this station is not in command"
    # A station that says it is in command, and is not.
    world.station("b").is_holder = True
    for name, answer in (("b", "not_holder"), ("o", "not_allowed")):
        assert world.ask(FlyVerb.START, document.identity, name) == answer
    assert world.upload(document) is Upload.LOADED
    world.run(1200)
    assert world.told("b").state == "loaded"
    assert world.told("o").identity == document.identity.hex()


def test_chunks_of_a_station_not_in_command_take_no_memory(random_bytes):
    world = two_stations(random_bytes)
    world.station("b").is_holder = True
    world.task("b").offer(bytes(3000), world.now)
    for _ in range(10):
        world.run(40)
        world.station("b").is_holder = True
    transfers = world.companion.stations["b"].transfers
    assert not any(inbound.chunks for inbound in transfers._inbound.values())
    assert world.companion.stations["b"].uplink.dropped["not_holder"] > 0


def test_a_hand_over_ends_what_the_former_commander_began(random_bytes):
    world = two_stations(random_bytes)
    document = world.document(square())
    world.begin(document)
    other = world.grounds["b"].disk.gcs_id
    world.station("a").command.request(Verb.HAND_OVER, other, world.now)
    world.run(500)
    world.station("b").command.request(Verb.ACCEPT, bytes(16), world.now)
    world.run(1000)
    assert world.state() is FlyState.HANDED_BACK
    reason = world.companion.watch.offboard.describe(world.now).reason
    assert reason is FlyReason.COMMAND_CHANGED
    assert world.ask(FlyVerb.START, document.identity, "a") == "not_holder"
    assert world.ask(FlyVerb.RESUME, document.identity, "a") == "not_holder"
    assert world.ask(FlyVerb.START, document.identity, "b") == "done"


def test_an_upload_ends_when_command_does(random_bytes):
    world = two_stations(random_bytes)
    other = world.grounds["b"].disk.gcs_id
    world.station("a").command.request(Verb.HAND_OVER, other, world.now)
    world.run(500)
    world.task("a").offer(bytes(32_000), world.now)
    world.run(200)
    assert world.task("a").upload is Upload.SENDING
    world.station("b").command.request(Verb.ACCEPT, bytes(16), world.now)
    world.run(1000)
    assert world.task("a").upload is Upload.FAILED
    assert not world.station("a").custody.transfers.is_sending(Kind.TRAJECTORY)


def test_what_is_being_judged_is_refused_when_command_changes(random_bytes):
    world = two_stations(random_bytes, POLYGON)
    deafen(world)
    other = world.grounds["b"].disk.gcs_id
    world.station("a").command.request(Verb.HAND_OVER, other, world.now)
    world.run(500)
    world.task("a").offer(encode(world.document(square())), world.now)
    world.until(lambda: world.task("a").upload is Upload.JUDGING, 2000)
    world.station("b").command.request(Verb.ACCEPT, bytes(16), world.now)
    world.until(lambda: world.task("a").upload is Upload.REFUSED, 5000)
    assert world.told("a").text == "another station has taken command"


def test_a_lost_link_leaves_the_rest_to_the_autopilot(world):
    world.begin(world.document(square()))
    world.cut()
    world.run(9000)
    assert world.state() is FlyState.HANDED_BACK
    assert world.vehicle.mode == 6  # RTL, by its own failsafe
    world.restore()
    world.run(3000)
    told = world.told()
    assert (told.state, told.reason) == ("handed_back", "link_lost")


def test_a_late_start_is_not_begun(world):
    document = world.document(square())
    assert world.upload(document) is Upload.LOADED
    world.run(1000)
    held = []
    world.up = lambda name, datagram, path: held.append(datagram) or []
    world.task().request(FlyVerb.START, document.identity, world.now)
    world.run(100)
    world.task()._request = None
    world.run(1600)
    world.restore()
    for datagram in held:
        world.receive_up("a", datagram)
    world.run(500)
    assert world.state() is FlyState.LOADED
    assert world.companion.stations["a"].uplink.dropped["stale"] > 0


def test_a_start_held_back_behind_an_abort_is_not_begun(world):
    document = world.document(square())
    assert world.upload(document) is Upload.LOADED
    world.run(1000)
    held = []
    world.up = lambda name, datagram, path: held.append(datagram) or []
    world.task().request(FlyVerb.START, document.identity, world.now)
    world.run(40)
    world.restore()
    assert world.ask(FlyVerb.ABORT) == "refused"  # nothing is flown
    for datagram in held:
        world.receive_up("a", datagram)
    world.run(500)
    assert world.state() is FlyState.LOADED
    assert world.told().answer == "refused"


@pytest.mark.parametrize("stale_first", [True, False])
def test_a_stale_request_makes_no_other_one_new(world, stale_first):
    """First a repetition of what is done, then the stale one, then the other repetitions."""
    document = world.document(square())
    assert world.upload(document) is Upload.LOADED
    held = []
    world.up = lambda name, datagram, path: held.append(datagram) or []

    def hold(verb, ms):
        held.clear()
        world.task().request(verb, bytes(8), world.now)
        world.run(ms)
        world.task()._request = None
        return list(held)

    if stale_first:
        stale = hold(FlyVerb.CLEAR, 40)
        world.run(1600)
        done = hold(FlyVerb.PAUSE, 900)
    else:
        done = hold(FlyVerb.PAUSE, 900)
        stale = hold(FlyVerb.CLEAR, 40)
        world.run(1600)
    half = len(done) // 2
    for datagram in (*done[:half], *stale, *done[half:]):
        world.receive_up("a", datagram)
    world.restore()
    world.run(1000)
    said = [note.partition("trajectory ")[2] for note in world.notes if "trajectory" in note]
    assert sum(text.startswith("PAUSE: refused") for text in said) == 1  # nothing is flown
    assert not any("CLEAR: done" in text for text in said)
    assert world.state() is FlyState.LOADED


def test_captured_starts_begin_nothing_again(world):
    document = world.document(square())
    begun = len(world.captured_up)
    world.begin(document)
    captured = world.captured_up[begun:]
    assert world.ask(FlyVerb.ABORT) == "done"
    notes = len(world.notes)
    for name, datagram, path in captured:
        world.receive_up(name, datagram, path)
    world.run(1000)
    assert world.state() is FlyState.HANDED_BACK
    assert not any("START" in note for note in world.notes[notes:])


@pytest.mark.parametrize("loss", [0.0, 0.3])
def test_over_a_slow_radio_an_upload_starves_no_command(random_bytes, loss):
    """At 900 bytes/s; the command is not later than its own datagram and one before it."""
    world = TaskedWorld(random_bytes, {"GUID_OPTIONS": 8}, paths=(RADIO,))
    world.station()._queue._rate = world.station()._radio_rate = 900
    world.fly(height=HEIGHT)
    if loss:
        world.up = lambda name, datagram, path: (
            [] if world.random_bytes(1)[0] < 255 * loss else [datagram]
        )
    world.task().offer(b"\1" + bytes(9000), world.now)
    late = []
    for _ in range(6):
        world.run(1500)
        assert world.task().upload is Upload.SENDING
        sent_ns, before = world.now, len(world.captured_up)
        world.station().send([set_mode(LOITER if len(late) % 2 else 4)], world.now)
        while len(world.captured_up) == before:
            world.run(20)
        late.append((world.now - sent_ns) / MS)
    assert max(late) <= 1e3 * (162 + 98) / 900 + 60, late
    world.until(lambda: world.task().upload is not Upload.SENDING, 60_000)
    assert world.now < 10**12 + 200 * S
