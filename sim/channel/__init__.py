"""The air between ground and drone, and everything that may happen to a datagram in it."""
