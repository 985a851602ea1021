"""What waits for a broker, against a slow model that keeps everything ever put.

Mutants killed: a state that changed while it was being sent is taken for sent; a reconnect sends
only what is new; telemetry queues up; a lost event pushes out an older one; telemetry leaves before
an event; `sent` drops the newer telemetry of its topic.
"""

from hypothesis import given
from hypothesis import strategies as st

from groundstation.outbox import MAX_EVENTS, Outbox

TOPICS = st.sampled_from("abc")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("state"), TOPICS, st.sampled_from((b"1", b"2", b""))),
        st.tuples(st.just("event"), TOPICS, st.binary(max_size=1)),
        st.tuples(st.just("telemetry"), TOPICS),
        st.just(("take",)),
        st.just(("sent",)),
        st.just(("connected",)),
    ),
    max_size=60,
)


class Broker:
    """Keeps what a broker would; forgets it all when it is restarted."""

    def __init__(self):
        self.retained, self.events = {}, []

    def take(self, message):
        if message.retain:
            self.retained[message.topic] = message.payload
        elif message.qos:
            self.events.append((message.topic, message.payload))


def drain(outbox, broker):
    while (message := outbox.head()) is not None:
        broker.take(message)
        outbox.sent(message)


@given(STEPS)
def test_whatever_happens_the_broker_ends_up_with_what_was_said(steps):
    outbox, broker = Outbox(), Broker()
    states, events, last, taken = {}, [], {}, None
    for number, (name, *rest) in enumerate(steps):
        if name == "state":
            states[rest[0]] = rest[1]
            outbox.put_state(*rest)
        elif name == "event":
            events.append(tuple(rest))
            assert outbox.put_event(*rest)
        elif name == "telemetry":
            last[rest[0]] = b"%d" % number
            outbox.put_telemetry(rest[0], last[rest[0]])
        elif name == "take":
            taken = outbox.head()
        elif name == "sent" and taken is not None:
            broker.take(taken)
            outbox.sent(taken)
            if not taken.retain and not taken.qos and last.get(taken.topic) == taken.payload:
                last.pop(taken.topic)
            taken = None
        elif name == "connected":
            broker.retained.clear()
            outbox.connected()
            last.clear()
            taken = None
    waiting = []
    while (message := outbox.head()) is not None:
        waiting.append(message)
        broker.take(message)
        outbox.sent(message)
    assert broker.retained == states
    assert broker.events == events
    telemetry = [message for message in waiting if not message.retain and not message.qos]
    assert {message.topic: message.payload for message in telemetry} == last
    assert len(telemetry) == len(last)


def test_what_is_to_be_seen_first_leaves_first():
    outbox = Outbox()
    outbox.put_telemetry("t", b"")
    outbox.put_event("e", b"")
    outbox.put_state("s", b"")
    order = []
    while (message := outbox.head()) is not None:
        order.append(message.topic)
        outbox.sent(message)
    assert order == ["s", "e", "t"]


def test_a_state_that_changes_on_its_way_is_sent_again():
    outbox = Outbox()
    outbox.put_state("s", b"old")
    message = outbox.head()
    outbox.put_state("s", b"new")
    outbox.sent(message)
    assert outbox.head().payload == b"new"


def test_events_are_bounded_and_the_first_ones_stay():
    outbox = Outbox()
    for number in range(MAX_EVENTS + 7):
        assert outbox.put_event("e", b"%d" % number) == (number < MAX_EVENTS)
    assert outbox.is_full
    broker = Broker()
    drain(outbox, broker)
    assert [payload for _, payload in broker.events] == [b"%d" % n for n in range(MAX_EVENTS)]
    assert outbox.counted["events_lost"] == 7


def test_telemetry_never_piles_up():
    outbox = Outbox()
    for number in range(1000):
        outbox.put_telemetry("t", b"%d" % number)
    assert outbox.head().payload == b"999"
    outbox.sent(outbox.head())
    assert outbox.head() is None
    assert outbox.counted["telemetry_replaced"] == 999


def test_telemetry_that_came_while_its_predecessor_was_sent_stays():
    outbox = Outbox()
    outbox.put_telemetry("t", b"old")
    message = outbox.head()
    outbox.put_telemetry("t", b"new")
    outbox.sent(message)
    assert outbox.head().payload == b"new"
