"""The window agrees with the obvious slow model: a set of all counters ever accepted."""

from hypothesis import example, given
from hypothesis import strategies as st

from crypto.replay import WINDOW_SIZE, ReplayWindow

# Edge-weighted: steps near 0 and near the window's size find what uniform ones miss.
STEPS = st.one_of(
    st.integers(-3, 3),
    st.integers(WINDOW_SIZE - 2, WINDOW_SIZE + 2),
    st.integers(-WINDOW_SIZE - 2, -WINDOW_SIZE + 2),
    st.integers(-300, 300),
)


@given(st.integers(0, 400), st.lists(STEPS, max_size=60))
@example(200, [0, -127])
@example(200, [0, -128])
@example(0, [127, -127, 128, -128])
def test_agrees_with_the_set_of_accepted_counters(start, steps):
    window = ReplayWindow()
    accepted: set[int] = set()
    counter = start
    for step in [0, *steps]:
        counter = max(0, counter + step)
        top = max(accepted, default=-1)
        expected = counter not in accepted and counter > top - WINDOW_SIZE
        assert window.would_accept(counter) == expected
        assert window.would_accept(counter) == expected  # asking changes nothing
        if expected:
            assert window.accept(counter) == (counter > top)
            accepted.add(counter)
