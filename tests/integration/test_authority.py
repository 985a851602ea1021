"""Exactly one commander, whoever asks for it, and across every restart."""

import dataclasses

import pytest
from pymavlink.dialects.v20 import ardupilotmega as dialect

from crypto.pair import Role
from flightcore.authority import AuthorityState
from flightcore.options import DEFAULT_OPTIONS
from tests.world import MS, S, World, command
from wire.authority import NOBODY, Answer, Request, Verb
from wire.records import AUTHORITY, encode_record

RTL = command(20)
ROLES = {
    "a": Role.COMMANDER,
    "b": Role.COMMANDER,
    "s": Role.SUPERVISOR,
    "o": Role.OBSERVER,
}


@pytest.fixture
def world(random_bytes):
    """`a` came first and commands; nobody is silent."""
    world = World(random_bytes, ROLES)
    world.silent = {"b", "s", "o"}
    world.up = lambda name, datagram, path: [] if name in world.silent else [datagram]
    world.run(1000)
    world.silent = set()
    world.run(3000)
    assert world.executes(RTL, "a")
    return world


def ask(world, name, verb, about=None):
    """Return what the drone answers to a request."""
    station = NOBODY if about is None else world.grounds[about].disk.gcs_id
    world.station(name).command.request(verb, station, world.now)
    world.run(1000)
    return world.station(name).command.result


def commander(world):
    """Return who can make the vehicle do something: exactly one station, or none."""
    able = [name for name in world.grounds if world.executes(RTL, name)]
    assert len(able) <= 1
    return able[0] if able else None


def test_hand_over_takes_both(world):
    assert ask(world, "b", Verb.ACCEPT) is Answer.NOT_OFFERED
    assert ask(world, "a", Verb.HAND_OVER, "b") is Answer.OFFERED
    assert commander(world) == "a"
    assert ask(world, "s", Verb.ACCEPT) is Answer.NOT_OFFERED
    assert ask(world, "b", Verb.ACCEPT) is Answer.DONE
    assert commander(world) == "b"
    assert world.authority_on_disk.epoch == 1
    assert "command: b, epoch 1" in world.notes


def test_an_offer_lapses(world):
    assert ask(world, "a", Verb.HAND_OVER, "b") is Answer.OFFERED
    world.run(9_100, 100)
    assert ask(world, "b", Verb.ACCEPT) is Answer.NOT_OFFERED


def test_an_offer_dies_with_the_epoch(world):
    assert ask(world, "a", Verb.HAND_OVER, "b") is Answer.OFFERED
    assert ask(world, "s", Verb.PREEMPT) is Answer.DONE
    assert ask(world, "b", Verb.ACCEPT) is Answer.NOT_OFFERED
    assert commander(world) == "s"


def test_claim_waits_until_the_holder_has_been_lost_15_s(world):
    assert ask(world, "b", Verb.CLAIM) is Answer.HOLDER_PRESENT
    world.silent = {"a"}
    world.run(14_000 - 1000, 100)
    assert ask(world, "b", Verb.CLAIM) is Answer.HOLDER_PRESENT
    world.run(1_500, 100)
    assert ask(world, "b", Verb.CLAIM) is Answer.DONE
    world.silent = set()
    world.run(3000, 50)
    assert commander(world) == "b"


def test_claim_over_a_link_slower_than_its_repetition(world):
    """The ground asks again before the first challenge can have been answered."""
    way = []

    def later(receive):
        def put(name, datagram, path):
            way.append((world.now + 300 * MS, receive, name, datagram))
            return []

        return put

    world.silent = {"a"}
    world.run(16_000, 100)
    up, down = later(world.receive_up), later(world.receive_down)
    world.up = lambda name, *sent: [] if name in world.silent else up(name, *sent)
    world.down = down
    world.station("b").command.request(Verb.CLAIM, NOBODY, world.now)
    for _ in range(200):
        world.run(10)
        for item in [item for item in way if item[0] <= world.now]:
            way.remove(item)
            item[1](*item[2:])
    assert world.station("b").command.result is Answer.DONE


def test_claim_without_its_second_step_changes_nothing(world):
    world.silent = {"a"}
    world.run(16_000, 100)
    world.down = lambda name, datagram, path: []  # no challenge arrives
    world.station("b").command.request(Verb.CLAIM, NOBODY, world.now)
    world.run(5_000, 50)
    assert world.authority_on_disk.epoch == 0


def test_only_a_supervisor_preempts_and_suspends(world):
    assert ask(world, "b", Verb.PREEMPT) is Answer.NOT_ALLOWED
    assert ask(world, "b", Verb.SUSPEND, "a") is Answer.NOT_ALLOWED
    assert ask(world, "s", Verb.PREEMPT) is Answer.DONE
    assert commander(world) == "s"


@pytest.mark.parametrize("verb", list(Verb))
def test_an_observer_gets_nothing(world, verb):
    assert ask(world, "o", verb, "a") is Answer.NOT_ALLOWED
    assert commander(world) == "a"


def test_suspended_station_is_met_with_silence_until_the_drone_restarts(world):
    assert ask(world, "s", Verb.SUSPEND, "b") is Answer.DONE
    world.captured_down.clear()
    world.run(5000, 50)
    assert not world.station("b").is_live(world.now)
    assert not [name for name, _, _ in world.captured_down if name == "b"]
    world.boot()
    world.run(5000, 50)
    assert world.station("b").is_live(world.now)
    assert ask(world, "s", Verb.SUSPEND, "s") is Answer.UNKNOWN_STATION


def test_commands_of_an_earlier_authority_are_fenced_off(world):
    """A commands, hands over to B, gets it back: what A sent before must not execute now."""
    held = []
    world.up = lambda name, datagram, path: held.append((name, datagram)) or []
    world.station("a").send([RTL], world.now)
    world.exchange()
    world.up = lambda name, datagram, path: [datagram]
    for giver, taker in (("a", "b"), ("b", "a")):
        world.station(giver).command.request(
            Verb.HAND_OVER, world.grounds[taker].disk.gcs_id, world.now
        )
        world.run(60)
        world.station(taker).command.request(Verb.ACCEPT, NOBODY, world.now)
        world.run(1060)
    world.line.clear()
    for name, datagram in held:
        world.receive_up(name, datagram)
    world.run(100)
    assert RTL not in world.line
    assert world.companion.stations["a"].uplink.dropped["stale_epoch"] == 1
    assert world.executes(RTL, "a")


def test_holder_survives_a_restart_and_others_wait_out_the_lease(world):
    assert ask(world, "a", Verb.HAND_OVER, "b") is Answer.OFFERED
    assert ask(world, "b", Verb.ACCEPT) is Answer.DONE
    world.boot()
    world.run(4000, 50)
    assert commander(world) == "b"
    assert world.authority_on_disk.epoch == 1
    world.silent = {"b"}
    world.up = lambda name, datagram, path: [] if name in world.silent else [datagram]
    world.boot()
    world.run(10_000, 50)
    assert ask(world, "a", Verb.CLAIM) is Answer.HOLDER_PRESENT
    world.run(6_000, 50)
    assert ask(world, "a", Verb.CLAIM) is Answer.DONE


def test_nothing_changes_before_it_is_on_disk(world):
    """While the write is under way the old state holds, and nobody is told of another."""
    assert ask(world, "a", Verb.HAND_OVER, "b") is Answer.OFFERED
    writes = []
    world.companion.outgoing_saves, real = (lambda: []), world.companion.outgoing_saves
    world.station("b").command.request(Verb.ACCEPT, NOBODY, world.now)
    world.run(1000)
    writes = real()
    assert [item.epoch for item in writes] == [1]
    assert world.station("b").command.is_waiting
    assert commander(world) == "a"
    world.boot()  # a crash before the write
    world.run(4000, 50)
    assert commander(world) == "a"


def test_a_disk_that_fails_leaves_things_as_they_are(world):
    assert ask(world, "a", Verb.HAND_OVER, "b") is Answer.OFFERED
    world.disk_works = False
    assert ask(world, "b", Verb.ACCEPT) is Answer.NOT_SAVED
    assert commander(world) == "a"
    world.disk_works = True
    assert ask(world, "a", Verb.HAND_OVER, "b") is Answer.OFFERED
    assert ask(world, "b", Verb.ACCEPT) is Answer.DONE


def test_a_delayed_stream_does_not_keep_the_lease(world):
    """The holder's frames arrive, authentic and 5 s old: the holder is as good as lost."""
    queue = []

    def late(name, datagram, path):
        if name != "a":
            return [datagram]
        queue.append((world.now + 5 * S, datagram))
        out = [d for at, d in queue if at <= world.now]
        queue[:] = [(at, d) for at, d in queue if at > world.now]
        return out

    world.up = late
    world.run(25_000, 20)
    assert ask(world, "b", Verb.CLAIM) is Answer.DONE


def test_lost_requests_are_repeated(world):
    losses = iter([True, True, True] + [False] * 10_000)
    world.up = lambda name, datagram, path: [] if name == "a" and next(losses) else [datagram]
    assert ask(world, "a", Verb.HAND_OVER, "b") is Answer.OFFERED


def test_a_frame_from_before_a_change_fails_even_if_the_epochs_byte_comes_round(world):
    """256 changes later the byte is the same, and the holder too: what was sent before is not."""
    held = []
    world.up = lambda name, datagram, path: held.append(datagram) or []
    world.station("a").send([RTL], world.now)
    world.exchange()
    authority = world.companion.arbiter.authority
    authority.to_save = AuthorityState(epoch=256, holder=authority.state.holder)
    authority.saved(authority.to_save, world.now + 1)
    world.now += 2
    world.line.clear()
    world.receive_up("a", held[0])
    world.write()
    assert world.line == []
    assert world.companion.stations["a"].uplink.dropped["stale_epoch"] == 1
    world.up = lambda name, datagram, path: [datagram]
    world.run(500)
    assert world.executes(RTL, "a")


def test_an_acceptance_held_back_does_not_accept_the_next_offer(world):
    assert ask(world, "a", Verb.HAND_OVER, "b") is Answer.OFFERED
    held = []
    world.up = lambda name, datagram, path: (
        held.append(datagram) or [] if name == "b" else [datagram]
    )
    world.station("b").command.request(Verb.ACCEPT, NOBODY, world.now)
    world.run(50)
    for other in ("s", "b"):  # withdrawn in favour of another, and offered anew
        world.station("a").command.request(
            Verb.HAND_OVER, world.grounds[other].disk.gcs_id, world.now
        )
        world.run(150)
    for datagram in held[:2]:
        world.receive_up("b", datagram)
    world.write()
    assert world.authority_on_disk.epoch == 0
    assert commander(world) == "a"


def test_an_old_request_held_back_makes_no_later_one_new(world):
    """First a repetition of the later one, then the stale one, then the other repetitions."""
    held = []
    world.up = lambda name, datagram, path: held.append(datagram) or []
    asks = world.station("a").command
    asks.request(Verb.HAND_OVER, world.grounds["s"].disk.gcs_id, world.now)
    world.run(40)
    old = list(held)
    asks._request = None
    world.run(1600)
    held.clear()
    asks.request(Verb.HAND_OVER, world.grounds["b"].disk.gcs_id, world.now)
    world.run(900)
    half = len(held) // 2
    for datagram in (*held[:half], *old, *held[half:]):
        world.receive_up("a", datagram)
    world.up = lambda name, datagram, path: [datagram]
    world.run(1000)
    assert asks.result is Answer.OFFERED
    assert [note for note in world.notes if "HAND_OVER" in note] == ["a: HAND_OVER: OFFERED"]


def test_nobody_can_be_given_command_while_the_disk_fails(random_bytes):
    """The operator is told, the disk is not tried at every frame, and the first write ends it."""
    world = World(random_bytes)
    world.disk_works = False
    world.run(2000)
    assert not any(world.executes(RTL, ms=100) for _ in range(100))
    said = dialect.MAVLink(None).parse_buffer(world.grounds["a"].tools)
    texts = {message.text for message in said if message.get_type() == "STATUSTEXT"}
    assert texts == {"Refused: nobody is in command: see the drone's log"}
    assert world.companion.dropped["not_saved"] <= 15
    world.disk_works = True
    world.run(1500)
    assert world.executes(RTL)


def test_two_claims_at_once_do_not_confirm_each_other(random_bytes):
    """Under dual control another person has to agree, and both have only asked for themselves."""
    options = dataclasses.replace(DEFAULT_OPTIONS, dual_control=True)
    roles = dict.fromkeys("abc", Role.COMMANDER)
    world = World(random_bytes, roles, options=options)
    silent = {"b", "c"}
    world.up = lambda name, datagram, path: [] if name in silent else [datagram]
    world.run(1500)
    silent.clear()
    world.run(2000)
    silent.add("a")
    world.run(16_000)
    for name in "bc":
        world.station(name).command.request(Verb.CLAIM, NOBODY, world.now)
    world.run(1500)
    assert world.companion.arbiter.holder() == "a"
    # Whose claim it is can be seen, and agreed to.
    challenge = world.station("c").command.challenge(world.now)
    assert world.grounds["b"].disk.gcs_id in challenge.operation
    assert world.station("c").command.confirm(challenge.nonce, world.now)
    world.run(500)
    assert world.companion.arbiter.holder() == "b"


def test_a_claim_in_the_name_of_another_is_refused(random_bytes):
    world = World(random_bytes, dict.fromkeys("ab", Role.COMMANDER))
    silent = {"b"}
    world.up = lambda name, datagram, path: [] if name in silent else [datagram]
    world.run(1500)
    silent = {"a"}
    world.run(18_000)
    claim = Request(Verb.CLAIM, 9, world.grounds["a"].disk.gcs_id).encode()
    sealed = world.station("b")._link.seal(encode_record(AUTHORITY, claim), world.now)
    world.receive_up("b", sealed)
    world.run(500)
    assert world.station("b").command.state.answer is Answer.NOT_ALLOWED
    assert ask(world, "b", Verb.CLAIM) is Answer.DONE
