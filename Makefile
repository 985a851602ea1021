.PHONY: check fast format lint types imports test
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
fast:
	ruff check .
	pytest -q -m "not slow and not e2e and not ardupilot"
