"""Both ends of a pairing on one clock, with people who answer what the test says."""

from crypto.enrolment import Token
from crypto.pair import Identity, Role
from crypto.pairing import Compare, Met, Pairing, Save
from crypto.pairing_exchange import DroneExchange, GroundExchange, Terms

START = 10**12
SECOND = 10**9


class End:
    """One end: its core, and what it has said."""

    def __init__(self, core):
        self.core = core
        self.events = []

    def take(self, events):
        self.events += events
        return events

    def receive(self, message, now=START):
        return self.take(self.core.receive(message, now))

    def says(self, matches, now=START):
        return self.take(self.core.answer(now, matches=matches))

    def first(self, kind):
        return next((event for event in self.events if isinstance(event, kind)), None)

    @property
    def code(self):
        return self.first(Compare).code

    @property
    def peer(self):
        return self.first(Met).peer

    @property
    def record(self):
        saves = [event for event in self.events if isinstance(event, Save)]
        assert len(saves) <= 1
        return saves[0].record if saves else None


def drone_end(random_bytes, suite, role=Role.COMMANDER, now=START, **terms):
    identity = Identity.create(random_bytes)
    exchange = DroneExchange(identity, "tsubame-1", Terms(suite, role, **terms), random_bytes)
    return End(Pairing(exchange, now)), exchange.token.text


def false_drone_end(random_bytes, token_text):
    """A drone made by somebody who photographed the token of another."""
    token = Token.parse(token_text)
    known = [token.secret]

    def rigged(size):
        return known.pop() if known else random_bytes(size)

    terms = Terms(token.suite, token.role)
    exchange = DroneExchange(Identity.create(random_bytes), "tsubame-1", terms, rigged)
    assert exchange.token == token
    return End(Pairing(exchange, START))


def ground_end(random_bytes, token_text, now=START, name="station-a"):
    exchange = GroundExchange(
        Token.parse(token_text), Identity.create(random_bytes), name, random_bytes
    )
    return End(Pairing(exchange, now))


def both(random_bytes, suite, role=Role.COMMANDER, **terms):
    drone, text = drone_end(random_bytes, suite, role, **terms)
    return drone, ground_end(random_bytes, text)


def carry(drone, ground, now=START):
    """Carry messages until none is left; return them in order, each with the end it went to."""
    carried = []
    while pending := [(drone, m) for m in ground.core.outgoing()] + [
        (ground, m) for m in drone.core.outgoing()
    ]:
        for receiver, message in pending:
            receiver.receive(message, now)
        carried += pending
    return carried


def complete(drone, ground):
    """Run a whole honest pairing; return every message, each with the end it went to."""
    carried = carry(drone, ground)
    drone.says(True)
    ground.says(True)
    carried += carry(drone, ground)
    assert drone.record is not None
    drone.core.saved()
    return carried + carry(drone, ground)


HONEST = (*"GDGDG", "D yes", "G yes", "D saved")


def before(random_bytes, suite, step):
    """Return both ends just before message `step` of an honest pairing, its receiver, and it."""
    drone, ground = both(random_bytes, suite)
    for at, what in enumerate(HONEST):
        sender, receiver = (drone, ground) if what[0] == "D" else (ground, drone)
        if what.endswith("yes"):
            sender.says(True)
        if what.endswith("saved"):
            drone.core.saved()
        (message,) = sender.core.outgoing()
        if at == step:
            return drone, ground, receiver, message
        receiver.receive(message)
    raise AssertionError(step)
