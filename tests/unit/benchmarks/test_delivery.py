"""The judge of the forwarding benchmarks: it must see loss, disorder and strangers."""

import pytest

from benchmarks.delivery import Expected, split_by_length
from benchmarks.workload import answer_frames, mix_frames

FRAMES = mix_frames(2)


def judge(frames, sent):
    return Expected(FRAMES).judge(b"".join(frames), sent)


def test_all_that_was_sent_round_and_round():
    assert judge(FRAMES * 3, 3 * len(FRAMES)) == (3 * len(FRAMES), 0, True)


def test_loss_is_not_disorder():
    kept = [frame for number, frame in enumerate(FRAMES * 3) if number % 7]
    assert judge(kept, 3 * len(FRAMES)) == (len(kept), 0, True)


@pytest.mark.parametrize("at", [0, 40, 140])
def test_two_exchanged_frames_are_disorder(at):
    swapped = [*FRAMES[:at], FRAMES[at + 1], FRAMES[at], *FRAMES[at + 2 :]]
    assert not judge(swapped, len(FRAMES)).in_order


def test_a_repeated_frame_is_disorder():
    assert not judge([*FRAMES, FRAMES[-1]], len(FRAMES)).in_order


def test_a_changed_frame_is_foreign():
    changed = FRAMES[3][:-1] + bytes((FRAMES[3][-1] ^ 1,))
    delivered = [*FRAMES[:3], changed, *FRAMES[4:]]
    assert judge(delivered, len(FRAMES)) == (len(FRAMES) - 1, 1, True)


def test_the_mix_is_the_one_peers_are_measured_with():
    frames = mix_frames(30)
    assert len(frames) == 30 * 76
    assert sum(map(len, frames)) / len(frames) == pytest.approx(37.8, abs=0.2)


def test_split_by_length_returns_what_was_joined():
    frames = [*mix_frames(1), *answer_frames(20)]
    assert split_by_length(b"".join(frames)) == frames
