"""Laws written once over numbers that remember, and the programs made of them."""
