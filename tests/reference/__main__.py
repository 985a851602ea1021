"""Write tests/data/sl1-known-answers.json."""

from pathlib import Path

from tests.reference.answers import text

PATH = Path(__file__).parents[1] / "data" / "sl1-known-answers.json"

if __name__ == "__main__":
    PATH.write_text(text())
    print(f"{PATH}: {PATH.stat().st_size} bytes")
