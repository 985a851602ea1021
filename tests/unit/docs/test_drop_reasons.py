"""The table of drop reasons in docs/operating-the-link.md names each that the code counts, once.

Mutants killed: a reason renamed in the table, one added to an enumeration, a literal renamed.
"""

import re
from pathlib import Path

from crypto.confirmation import Unconfirmed
from crypto.messages import Drop
from crypto.revocation import Refusal
from flightcore.autopilot import KEY_FROM_LINE, OTHER_AUTOPILOT
from flightcore.policy import Reason
from flightcore.signing import BadSignature
from flightcore.uplink import Stop
from wire.cobs_framing import BadFrame
from wire.fragments import BadFragment
from wire.mavlink import Noise
from wire.priority import Priority

ROOT = Path(__file__).parents[3]
LITERAL = re.compile(r'dropped\["(\w+)"\]|Refuse\(\s*"(\w+)"')
MALFORMED = "malformed_records"  # named twice, by a constant of each end


def counted():
    enums = (Drop, Stop, Reason, Unconfirmed, Refusal, BadFragment, BadFrame, Noise, BadSignature)
    reasons = {reason.value for enum in enums for reason in enum} | {MALFORMED}
    reasons |= {KEY_FROM_LINE, OTHER_AUTOPILOT}
    reasons |= {f"not_sent_{priority.name.lower()}" for priority in Priority}
    for package in ("crypto", "wire", "flightcore", "groundstation"):
        for path in (ROOT / package).rglob("*.py"):
            found = LITERAL.findall(path.read_text())
            reasons |= {literal for groups in found for literal in groups if literal}
    return reasons


def documented():
    text = (ROOT / "docs/operating-the-link.md").read_text().partition("| reason | means | do |")[2]
    rows = [line.split("|")[1] for line in text.splitlines()[2:] if line.startswith("|")]
    return [reason for row in rows for reason in re.findall(r"`(\w+)`", row)]


def test_each_reason_is_explained_once():
    assert sorted(documented()) == sorted(counted())
