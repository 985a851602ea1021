"""The token as people type it.

Mutants killed: the check not compared or not over the terms, four bits a character, O read as Q, L
not read as 1, another version or a fourth role accepted.
"""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto.enrolment import ALPHABET, Token, TokenError
from crypto.pair import Role
from crypto.suites import AES, CHACHA, SUITES

TOKENS = st.builds(
    Token,
    st.sampled_from(list(SUITES.values())),
    st.sampled_from(Role),
    st.binary(min_size=16, max_size=16),
)


def test_a_known_token():
    """The example of docs/protocol.md."""
    token = Token(AES, Role.SUPERVISOR, bytes(range(16)))
    assert token.text == "3800-20G3-0G2G-C1R8-1450-P30D-1R7K-E0BR"
    assert token.prologue == b"SL1 pair\x01\x02\x02"


def slow_text(terms, secret):
    """The same by another way: a string of bits, cut by fives."""
    body = bytes([terms]) + secret
    body += hashlib.sha256(b"SL1 pair token" + body).digest()[:3]
    bits = "".join(f"{byte:08b}" for byte in body)
    symbols = [ALPHABET[int(bits[at : at + 5], 2)] for at in range(0, 160, 5)]
    return "-".join("".join(symbols[at : at + 4]) for at in range(0, 32, 4))


@given(TOKENS, st.data())
def test_a_token_is_read_as_it_was_shown_however_it_is_typed(token, data):
    role = ["observer", "commander", "supervisor"].index(token.role)
    assert token.text == slow_text(0x10 + 4 * token.suite.number + role, token.secret)
    lookalikes = {"0": "0oO", "1": "1iIlL"}
    typed = "".join(
        data.draw(st.sampled_from([*lookalikes.get(c, c + c.lower()), c])) for c in token.text
    )
    typed = data.draw(st.sampled_from([typed, typed.replace("-", ""), typed.replace("-", " ")]))
    assert Token.parse(f" {typed}\n") == token


@given(TOKENS, st.integers(0, 31), st.sampled_from(ALPHABET))
def test_one_mistyped_character_is_noticed(token, at, symbol):
    symbols = token.text.replace("-", "")
    typed = symbols[:at] + symbol + symbols[at + 1 :]
    if typed == symbols:
        assert Token.parse(typed) == token
    else:
        with pytest.raises(TokenError, match="mistyped"):
            Token.parse(typed)


@given(TOKENS, st.integers(0, 30))
def test_two_neighbours_exchanged_are_noticed(token, at):
    symbols = token.text.replace("-", "")
    typed = symbols[:at] + symbols[at + 1] + symbols[at] + symbols[at + 2 :]
    if typed != symbols:
        with pytest.raises(TokenError, match="mistyped"):
            Token.parse(typed)


@given(st.text(max_size=80))
def test_what_is_no_token_is_refused_and_not_repeated(text):
    with pytest.raises(TokenError) as caught:
        Token.parse(text)
    assert len(text.strip()) < 8 or text.strip() not in str(caught.value)


def test_terms_of_another_version_are_refused():
    known = [0x10 + 4 * suite + role for suite in (1, 2) for role in (0, 1, 2)]
    for terms in range(256):
        text = slow_text(terms, bytes(16))
        if terms in known:
            assert Token.parse(text).text == text
        else:
            with pytest.raises(TokenError, match="another version"):
                Token.parse(text)


def test_the_secret_is_not_in_the_representation():
    assert "secret" not in repr(Token(CHACHA, Role.OBSERVER, b"sixteen bytes ok"))


@given(TOKENS)
def test_every_key_of_a_token_is_another(token):
    assert len({token.psk, token.mac_key, token.secret.ljust(32, b"\0")}) == 3
