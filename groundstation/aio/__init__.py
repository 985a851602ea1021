"""Sockets, files, clock and tasks; decides nothing."""
