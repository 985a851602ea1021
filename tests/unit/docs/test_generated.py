"""The generated parts of the documents are what the code's tables say today."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_documents_are_current():
    done = subprocess.run(
        [sys.executable, "docs/generate.py", "--check"],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
