.PHONY: check fast format lint types imports test bench

check: format lint types imports test

format:
	ruff format --check .

lint:
	ruff check .

types:
	mypy

imports:
	lint-imports

test:
	pytest

# The inner loop: lint and the quick tests, in under ten seconds.
fast:
	ruff check .
	pytest -q -m "not slow and not e2e"

bench:
	python -m benchmarks --peers
