"""A revocation list: any paired station may carry it, only the fleet authority can make it."""

import dataclasses

import pytest

from crypto.pair import Role
from crypto.revocation import Authority, RevocationList
from flightcore.options import DEFAULT_OPTIONS
from groundstation.station import Station
from tests.world import World, command
from wire.locality import RADIO, UDP

RTL = command(20)


@pytest.fixture
def fleet(random_bytes):
    return Authority(random_bytes(Authority.SEED_BYTES))


def a_world(random_bytes, fleet, **options):
    roles = {"a": Role.COMMANDER, "b": Role.OBSERVER}
    world = World(random_bytes, roles, fleet=fleet and fleet.public, **options)
    world.run(3000)
    assert world.station("a").is_live(world.now)
    return world


def bring(world, name, revocations, signed):
    world.station(name).custody.bring_revocations(revocations.serial, signed)
    world.run(8000, 20)


@pytest.mark.parametrize("paths", [(UDP,), (RADIO,)], ids=["wifi", "radio"])
def test_a_revoked_station_falls_silent_and_stays_so(random_bytes, fleet, paths):
    world = a_world(random_bytes, fleet)
    revocations = RevocationList().extended([world.grounds["a"].disk.gcs_id])
    world.grounds["b"].paths = paths
    world.grounds["b"].boot()
    world.run(4000, 20)
    assert world.executes(RTL, "a")
    bring(world, "b", revocations, fleet.sign(revocations))
    if paths == (RADIO,):
        world.run(40_000, 20)  # 5 % of 57,600 baud for 3.4 kB
    assert "a: shut out" in world.notes
    world.captured_down.clear()
    world.run(3000, 20)
    assert not world.station("a").is_live(world.now)
    assert not [name for name, _, path in world.captured_down if name == "a" and path != RADIO]
    assert not world.executes(RTL, "a")
    assert world.revocations_on_disk == revocations
    world.boot()
    world.run(5000, 20)
    assert not world.station("a").is_live(world.now)
    assert world.station("b").is_live(world.now)


def test_the_drone_tells_its_serial_and_is_not_asked_again(random_bytes, fleet):
    world = a_world(random_bytes, fleet)
    revocations = RevocationList().extended([bytes(16)])
    bring(world, "a", revocations, fleet.sign(revocations))
    assert world.station("a").command.state.revocation_serial == 1
    sizes = sum(len(d) for name, d, _ in world.captured_up if name == "a")
    world.run(70_000, 50)
    after = sum(len(d) for name, d, _ in world.captured_up if name == "a")
    assert after - sizes < 70 * 5 * 96 + 5000  # keepalives, and no second transfer


def test_forged_old_and_foreign_lists_change_nothing(random_bytes, fleet):
    world = a_world(random_bytes, fleet)
    stranger = Authority(random_bytes(Authority.SEED_BYTES))
    revocations = RevocationList().extended([world.grounds["a"].disk.gcs_id])
    bring(world, "b", revocations, stranger.sign(revocations))
    assert world.executes(RTL, "a")
    assert world.companion.stations["b"].uplink.dropped["revocation_bad_signature"] == 1
    assert world.revocations_on_disk.serial == 0


def test_a_drone_without_a_fleet_authority_obeys_no_list(random_bytes, fleet):
    world = a_world(random_bytes, None)
    revocations = RevocationList().extended([world.grounds["a"].disk.gcs_id])
    bring(world, "b", revocations, fleet.sign(revocations))
    assert world.executes(RTL, "a")
    assert world.companion.stations["b"].uplink.dropped["revocation_no_authority"] == 1


def test_a_station_that_brings_its_own_end(random_bytes, fleet):
    world = a_world(random_bytes, fleet)
    revocations = RevocationList().extended([world.grounds["b"].disk.gcs_id])
    bring(world, "b", revocations, fleet.sign(revocations))
    assert "b: shut out" in world.notes
    assert world.executes(RTL, "a")


def test_shut_out_even_if_the_disk_fails(random_bytes, fleet):
    world = a_world(random_bytes, fleet)
    revocations = RevocationList().extended([world.grounds["a"].disk.gcs_id])
    world.disk_works = False
    bring(world, "b", revocations, fleet.sign(revocations))
    assert "a: shut out" in world.notes
    assert world.station("b").command.state.revocation_serial == 0  # it is not on disk


def test_a_list_that_could_not_be_written_is_written_when_it_comes_again(random_bytes, fleet):
    """In force at once all the same; but not for the next flight, until the disk has it."""
    world = a_world(random_bytes, fleet)
    revocations = RevocationList().extended([world.grounds["a"].disk.gcs_id])
    world.disk_works = False
    bring(world, "b", revocations, fleet.sign(revocations))
    assert "a: shut out" in world.notes
    assert world.revocations_on_disk.serial == 0
    world.disk_works = True
    world.run(70_000, 50)
    assert world.revocations_on_disk == revocations
    assert world.station("b").command.state.revocation_serial == 1


def test_a_list_gets_through_a_radio_that_takes_more_than_a_minute_for_it(random_bytes, fleet):
    rate = 1400
    options = dataclasses.replace(DEFAULT_OPTIONS, radio_rate=rate)
    world = World(random_bytes, fleet=fleet.public, options=options, paths=(RADIO,))
    ground = world.grounds["a"]
    ground.station = Station(ground.disk, 1, random_bytes, (RADIO,), rate)
    revocations = RevocationList().extended([bytes(16)])
    ground.station.custody.bring_revocations(1, fleet.sign(revocations))
    for _ in range(6):
        world.run(60_000, 50)
    assert world.revocations_on_disk == revocations
