"""The clock and the timer that both shells drive their cores with; decides nothing."""
