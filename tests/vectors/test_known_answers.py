"""The product gives the known answers of SL1, and the reference gives the file that holds them.

Mutants killed: all of `test_interoperability`'s that change a byte but three (kinds and flags
renumbered by name, a fresh nonce for a repeated claim), and: another label for the mac keys or
psk[0]; a counter limit of 2^22; fields swapped in HS1's payload; the mark of the last fragment, or
the order of a fragment's fields.
"""

import json

import pytest

from crypto.chunks import Kind, Piece, Transfers
from crypto.confirmation import answer
from crypto.enrolment import Token
from crypto.freshness import SentTimes
from crypto.generation import Generation
from crypto.initiator import Initiator
from crypto.messages import PATTERN
from crypto.noise import HandshakeState, Keys, Split
from crypto.pair import Identity, PairRecord, PairSecrets, Role
from crypto.pairing import Compare, Pairing
from crypto.pairing_exchange import DroneExchange, GroundExchange, Terms, Transcript, code_of
from crypto.pairing_messages import Answer as PairingAnswer
from crypto.pairing_messages import Kind as Message
from crypto.pairing_messages import Offer
from crypto.primitives import KeyPair
from crypto.ratchet import RatchetOffer, next_psk
from crypto.replay import ReplayWindow
from crypto.responder import Reply, Responder
from crypto.revocation import Authority, Entry, RevocationList
from crypto.suites import SUITES
from sekisho.pair_line import encode_frame
from tests.reference.__main__ import PATH
from tests.reference.answers import text
from wire.authority import Answer, Flag, Request, State, Verb
from wire.cobs_framing import DatagramSplitter, encode
from wire.fragments import Fragmenter, Reassembler
from wire.records import (
    AUTHORITY,
    CHALLENGE,
    CHUNK,
    CHUNK_ACK,
    CONFIRM,
    DroneStatus,
    encode_record,
    padded,
    parse_records,
)
from wire.tasking import (
    UNKNOWN,
    FlyAnswer,
    FlyReason,
    FlyRequest,
    FlyState,
    FlyStatus,
    FlyVerb,
)
from wire.trajectory import AlongCourse, Facing, Turning, decode_untrusted
from wire.trajectory import encode as encode_trajectory

S = 1_000_000_000
FILE = json.loads(PATH.read_text())


def b(text):
    return bytes.fromhex(text)


@pytest.fixture(params=FILE["suites"], ids=str)
def known(request):
    """The answers of one suite."""
    return FILE["suites"][request.param]


@pytest.fixture
def suite(known):
    return SUITES[known["number"]]


def record(known, end):
    """The pair record of one end."""
    pair, other = known["pair"], {"ground": "drone", "drone": "ground"}[end]
    return PairRecord(
        version=2,
        suite=known["number"],
        peer=other,
        role=Role.COMMANDER,
        drone_id=b(pair["drone_id"]),
        gcs_id=b(pair["gcs_id"]),
        static_private=b(pair[f"{end}_private"]),
        peer_static_public=b(pair[f"{other}_public"]),
        mac_initiator_key=b(pair["k_mac_i"]),
        mac_responder_key=b(pair["k_mac_r"]),
        psk_generation=known["handshake"]["generation"],
        psk=b(known["slots"]["psk_2"]),
        next_psk=b(known["slots"]["psk_3"]) if end == "drone" else None,
    )


def giving(ephemeral):
    """Random bytes: the known ephemeral where a key is drawn."""
    return lambda size: b(ephemeral) if size == 32 else bytes(size)


def generation(known, *, is_ground):
    shaken = known["handshake"]
    indices = [shaken["ground_index"], shaken["drone_index"]]
    own, peer = indices if is_ground else indices[::-1]
    return Generation(
        suite=SUITES[known["number"]],
        number=1,
        local_index=own,
        remote_index=peer,
        keys=Split(*(b(shaken[name]) for name in ("key_up", "key_down", "handshake_hash"))),
        psk_generation=shaken["generation"],
        handshake_ns=0,
        uplink_sender=is_ground,
    )


def test_file_is_what_the_reference_makes():
    assert PATH.read_text() == text(), "run `python -m tests.reference`"


def test_pair(known, suite):
    pair = known["pair"]
    secrets = PairSecrets.derive(suite, b(pair["K"]))
    assert [key.hex() for key in secrets] == [pair["k_mac_i"], pair["k_mac_r"], pair["psk_0"]]
    for end in ("ground", "drone"):
        assert KeyPair(b(pair[f"{end}_private"])).public.hex() == pair[f"{end}_public"]


def test_noise_alone(known, suite):
    """The Noise messages, the keys and the hash, without what SL1 puts around them."""
    shaken, pair = known["handshake"], known["pair"]
    psks = (b(known["slots"]["psk_2"]),)
    ground, drone = (
        HandshakeState(
            suite.noise(PATTERN),
            Keys(KeyPair(b(pair[f"{own}_private"])), b(pair[f"{peer}_public"]), psks),
            lambda size, own=own: b(shaken[f"{own}_ephemeral_private"]),
            initiator=own == "ground",
            prologue=b(shaken["prologue"]),
        )
        for own, peer in (("ground", "drone"), ("drone", "ground"))
    )
    first = ground.write_message(b(shaken["hs1_payload"]))
    assert first == b(shaken["hs1"])[4:60]
    assert drone.read_message(first).hex() == shaken["hs1_payload"]
    second = drone.write_message(b(shaken["hs2_payload"]))
    assert second == b(shaken["hs2"])[4:68]
    assert ground.read_message(second).hex() == shaken["hs2_payload"]
    expected = Split(*(b(shaken[n]) for n in ("key_up", "key_down", "handshake_hash")))
    assert ground.split() == drone.split() == expected


def ground_attempt(known):
    """The ground, once it has sent the known HS1: the attempt whose index is the known one."""
    shaken = known["handshake"]
    end = record(known, "ground")
    ground = Initiator(end, shaken["ground_boot_count"], giving(shaken["ground_ephemeral_private"]))
    for second in range(shaken["ground_index"] + 1):
        (hs1,) = ground.outgoing(second * S)
    return ground, hs1, second * S


def test_ground_handshake(known):
    shaken, fields = known["handshake"], known["handshake"]["hs2_fields"]
    ground, hs1, now_ns = ground_attempt(known)
    assert hs1.hex() == shaken["hs1"]
    ground.receive(b(shaken["hs2"]), now_ns)
    session = ground.session
    assert session.transcript.hex() == shaken["handshake_hash"]
    assert (session.local_index, ground.authority_epoch) == (
        shaken["ground_index"],
        fields["epoch"],
    )
    down = known["frames"]["down"][0]
    established, opened = ground.receive(b(down["datagram"]), now_ns)
    assert established == (fields["boots"], fields["holds"] == 1, b(fields["log_head"]))
    assert opened.payload.hex() == down["records"]


def test_drone_handshake(known):
    shaken, fields = known["handshake"], known["handshake"]["hs2_fields"]
    end = record(known, "drone")
    assert end.next_check == fields["slot_check"]
    drone = Responder([end], fields["boots"], giving(shaken["drone_ephemeral_private"]))
    drone.authority_epoch, drone.holder = fields["epoch"], end.peer
    drone.log_head = b(fields["log_head"])
    earlier = Initiator(record(known, "ground"), 1, KeyNumbers())
    for second in range(fields["index"]):  # these take the indices before
        drone.receive(earlier.outgoing(second * S)[0], "anywhere", 0)
    assert drone.receive(b(shaken["hs1"]), "here", 0) == [Reply(b(shaken["hs2"]), "here")]
    first = known["frames"]["up"][0]
    *_, opened = drone.receive(b(first["datagram"]), "here", 0)
    assert (opened.age_bound_ns, opened.epoch) == (0, first["epoch"] % 256)


class KeyNumbers:
    """Other bytes at every call."""

    def __init__(self):
        self.calls = 0

    def __call__(self, size):
        self.calls += 1
        return bytes([self.calls]) * size


@pytest.mark.parametrize("direction", ["up", "down"])
def test_frames(known, direction):
    is_up = direction == "up"
    sender, receiver = (generation(known, is_ground=is_up == first) for first in (True, False))
    for frame in known["frames"][direction]:
        sender.next_counter = frame["counter"]
        sender.ack = frame.get("ack", sender.ack)
        overhead = 25 if is_up else 21
        records = b(frame["records"])
        payload = b(frame["inner"])[overhead - 20 :]
        assert payload in (records, padded(records, overhead))
        datagram = sender.seal(payload, frame.get("epoch", 0), 0)
        assert datagram.hex() == frame["datagram"]
        assert datagram.hex().startswith(frame["aad"])
        opened = receiver.open(datagram, "peer", 0)
        assert opened.is_newest
        assert (opened.payload, opened.order) == (payload, (1, frame["counter"]))
        assert opened.epoch == frame.get("epoch", 0) % 256
        mavlink, typed = parse_records(payload)
        assert sum(map(len, mavlink)) + sum(2 + len(v) for _, v in typed) == len(records)


def test_records(known, suite):
    records, station = known["records"], b(known["pair"]["gcs_id"])
    told = State(0x0A0B0C0D, station, Flag(5), 7, Answer.WRITING, 0x01020304)
    requests = {
        "authority_hand_over": Request(Verb.HAND_OVER, 255, station),
        "authority_claim": Request(Verb.CLAIM, 7, bytes(16)),
    }
    made = {
        "status": DroneStatus(0x010203, 0x0A0B0C0D, True).encode(),
        "status_nothing_heard": DroneStatus(0xFFFFFF, 0, False).encode(),
        "authority_state": encode_record(AUTHORITY, told.encode()),
        **{name: encode_record(AUTHORITY, r.encode()) for name, r in requests.items()},
    }
    nonce = b(records["nonce"])
    return_home = b(known["frames"]["up"][1]["records"])
    for name, operation in (("frame", return_home), ("claim", made["authority_claim"])):
        challenge = nonce + operation
        made[f"challenge_{name}"] = encode_record(CHALLENGE, challenge)
        made[f"confirm_{name}"] = encode_record(CONFIRM, answer(suite, challenge))
    assert {name: value.hex() for name, value in made.items()} | {"nonce": nonce.hex()} == records
    assert State.parse(b(records["authority_state"])[2:]) == told
    assert DroneStatus.parse(b(records["status"])[2:]) == (0x010203, 0x0A0B0C0D, True)
    for name, request in requests.items():
        assert Request.parse(b(records[name])[2:]) == request


def test_transfer(known):
    transfer = known["transfer"]
    kind, blob = Kind(transfer["kind"]), b(transfer["blob"])
    sender, receiver = Transfers({}), Transfers({kind: len(blob)})
    sender.send(kind, blob)
    pieces = [piece for second in range(1, 11) for piece in sender.outgoing(second * S, 1e9)]
    chunks = [encode_record(CHUNK, piece.value).hex() for piece in pieces if not piece.is_ack]
    assert chunks == transfer["chunks"]
    arrived, now_ns = set(), 0
    for step in transfer["acks"]:
        for index in step["arrived"]:
            if index not in arrived:
                whole = receiver.receive(Piece(is_ack=False, value=b(chunks[index])[2:]), now_ns)
                arrived.add(index)
        now_ns += S
        (ack,) = receiver.outgoing(now_ns, 1e9)
        assert encode_record(CHUNK_ACK, ack.value).hex() == step["record"]
        sender.receive(ack, now_ns)
        left = {p.value[2] for s in range(20) for p in sender.outgoing(100 * now_ns + s * S, 1e9)}
        assert left == set(range(10)) - arrived
    assert whole == (kind, blob)
    assert not sender.is_sending(kind)


def test_ratchet(known):
    ratchet, transcript = known["ratchet"], b(known["handshake"]["handshake_hash"])
    ground = record(known, "ground")
    offer = RatchetOffer(ground, transcript, lambda size: b(ratchet["seed"])[:size])
    assert offer.encapsulation_key.hex() == ratchet["ek"]
    ct, confirmation = b(ratchet["ct"]), b(ratchet["confirmation"])
    assert offer.finish(ct + confirmation).hex() == ratchet["next_psk"]
    drone = record(known, "drone").with_next(None)
    made = next_psk(drone, b(ratchet["ss"]), b(ratchet["ek"]), ct, transcript)
    assert made == (b(ratchet["next_psk"]), confirmation)
    assert drone.with_next(made[0]).next_check == ratchet["slot_check"]


def drawing(*values):
    """Random bytes, in the order in which they are drawn."""
    left = [b(value) for value in values]
    return lambda size: left.pop(0)


def pairing_identity(pairing, end):
    private = b(pairing[f"{end}_private"])
    return Identity(2, b(pairing["drone_id" if end == "drone" else "gcs_id"]), private, private)


def test_pairing_at_the_ground(known):
    pairing = known["pairing"]
    random = drawing(pairing["rand_gcs"], pairing["seed"], pairing["ground_ephemeral_private"])
    token, name = Token.parse(pairing["token"]), pairing["ground_name"]
    exchange = GroundExchange(token, pairing_identity(pairing, "ground"), name, random)
    ground, sent, heard = Pairing(exchange, 0), [], []
    for message in pairing["from_drone"]:
        sent += ground.outgoing()
        heard += ground.receive(b(message), 0)
        if len(sent) == 2:
            heard += ground.answer(0, matches=True)
    assert [message.hex() for message in sent] == pairing["from_ground"]
    assert Compare(pairing["code"]) in heard
    record = heard[-1].record
    made = pairing["made"]
    keys = record.mac_initiator_key, record.mac_responder_key, record.psk
    assert [key.hex() for key in keys] == [made["k_mac_i"], made["k_mac_r"], made["psk"]]
    assert (record.role, record.peer) == (Role.SUPERVISOR, pairing["drone_name"])
    assert record.peer_static_public == KeyPair(b(pairing["drone_private"])).public


def test_pairing_at_the_drone(known, suite):
    """The drone's ciphertext is its own: what comes before it, and the formulas after it."""
    pairing = known["pairing"]
    random = drawing(
        pairing["token_secret"], pairing["rand_drone"], pairing["drone_ephemeral_private"]
    )
    terms = Terms(suite, Role.SUPERVISOR)
    drone = DroneExchange(pairing_identity(pairing, "drone"), pairing["drone_name"], terms, random)
    assert drone.token.text == pairing["token"]
    hello, offer, *_ = map(b, pairing["from_ground"])
    assert drone.receive(Message.HELLO, hello) == [b(pairing["from_drone"][0])]
    drone.receive(Message.OFFER, offer)
    assert drone.peer == (b(pairing["gcs_id"]), pairing["ground_name"])
    transcript = Transcript(
        b(pairing["handshake_hash"]),
        b(pairing["ss"]),
        Offer.parse(b(pairing["offer_payload"])),
        PairingAnswer.parse(b(pairing["answer_payload"])),
        b(pairing["rand_gcs"]),
    )
    secret = transcript.pair_secret(suite)
    assert (secret.hex(), code_of(suite, secret)) == (pairing["K"], pairing["code"])
    assert encode_frame(hello).hex() == pairing["hello_on_the_line"]


def test_replay_window():
    window = ReplayWindow()
    for counter, is_taken in FILE["replay_window"]:
        assert window.would_accept(counter) == is_taken, counter
        if is_taken:
            window.accept(counter)


def test_age_bounds():
    known = FILE["age_bounds"]
    (_, handshake), *sent = known["sent"]
    times = SentTimes(int(handshake * S))
    for number, (counter, at) in enumerate(sent):
        assert counter == number
        times.record(int(at * S))
    for asked in known["bounds"]:
        bound = times.age_bound_ns(asked["ack"], int(asked["now"] * S))
        assert (None if bound is None else bound / S) == asked["bound"]


def test_fragments():
    known = FILE["fragments"]
    records = Fragmenter().cut(b(known["frame"]))
    assert [part.hex() for part in records] == known["records"]
    reassembler = Reassembler()
    *_, whole = [reassembler.receive(part[2:], 0) for part in reversed(records)]
    assert whole.frame.hex() == known["frame"]


def test_cobs():
    for known in FILE["cobs"]:
        line = encode(b(known["data"]))
        assert line.hex() == known["encoded"] + "00"
        assert DatagramSplitter().receive(line) == [b(known["data"])]


def test_revocation():
    known = FILE["revocation"]
    authority = Authority(b(known["ed25519_seed"]) + b(known["mldsa65_seed"]))
    assert authority.public.encode().hex() == known["authority"]
    entries = [Entry(b(gcs_id), at) for gcs_id, at in known["entries"].items()]
    revocations = RevocationList(known["serial"], tuple(sorted(entries)))
    assert revocations.encode().hex() == known["body"]
    assert authority.sign(revocations).hex().startswith(known["body"] + known["ed25519"])


def test_trajectory():
    known = {name: b(value) for name, value in FILE["trajectory"].items()}
    document = decode_untrusted(known["document"])
    assert [type(piece.heading) for piece in document.pieces] == [Turning, Facing, AlongCourse]
    assert encode_trajectory(document) == known["document"]
    assert document.identity == known["identity"]
    start = FlyRequest(FlyVerb.START, 0xFEDCBA98, known["identity"])
    assert start.encode() == known["start"]
    flown = FlyStatus.parse(known["running"])
    assert flown[:4] == (start.number, FlyAnswer.DONE, FlyState.RUNNING, FlyReason.NONE)
    assert flown[6:] == (4250, 14_500, 12, 55, "")
    back = FlyStatus.parse(known["handed_back"])
    assert (back.state, back.reason) == (FlyState.HANDED_BACK, FlyReason.LINK_LOST)
    assert (back.error_cm, back.text) == (UNKNOWN, "verloren \u2013 x")
    for status in flown, back:
        assert FlyStatus.parse(status.encode()) == status
