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

# By file, so that what a file sets up is set up once.
test:
	pytest -n auto --dist loadfile

# The inner loop: lint and the quick tests, on every core.
fast:
	ruff check .
	pytest -q -n auto -m "not slow and not e2e"

bench:
	python -m benchmarks --peers
