"""The virtual clock's list against a dictionary that is searched.

Mutants killed: an old deadline that is still given; equal ones in the order of setting; one that is
given twice.
"""

from hypothesis import given
from hypothesis import strategies as st

from sekisho.world.agenda import Agenda

COUNT = 4
moves = st.lists(
    st.one_of(
        st.tuples(st.integers(0, COUNT - 1), st.none() | st.integers(0, 6)),
        st.integers(-1, 7),
    ),
    max_size=40,
)


@given(moves)
def test_who_is_due_first_comes_first(moves):
    agenda, due = Agenda(COUNT), {}
    for move in moves:
        if isinstance(move, tuple):
            number, when = move
            agenda.set(number, when)
            due.pop(number, None)
            if when is not None:
                due[number] = when
            continue
        expected = min(((when, n) for n, when in due.items() if when <= move), default=None)
        assert agenda.pop(move) == expected
        if expected is not None:
            del due[expected[1]]
