"""SL1 a second time, from docs/protocol.md alone: slow, plain, nothing shared with the product."""
