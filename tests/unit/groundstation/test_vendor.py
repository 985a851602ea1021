"""What the page carries of others is what it says it is, and the page asks nobody else."""

import hashlib
import json
import re
from pathlib import Path

STATIC = Path(__file__).parents[3] / "groundstation" / "static"
VENDOR = STATIC / "vendor"


def test_hashes_and_licences():
    listed = {"vendor.json"}
    for package in json.loads((VENDOR / "vendor.json").read_text()):
        assert package["licence"]
        assert f"{package['name']}.LICENSE" in package["sha256"]
        for name, digest in package["sha256"].items():
            assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == digest, name
            listed.add(name)
    assert listed == {path.name for path in VENDOR.iterdir()}


def test_our_files_name_no_other_site():
    for path in STATIC.iterdir():
        if path.is_file():
            names = re.findall(r"\bhttps?://[^\s\"'`]*|//[a-z0-9.-]+\.[a-z]{2,}", path.read_text())
            assert set(names) <= {"http://www.w3.org/2000/svg"}, path.name


def test_our_scripts_make_no_markup_of_text():
    for path in STATIC.glob("*.js"):
        script = path.read_text()
        assert not re.search(r"(inner|outer|Adjacent)HTML|document\.write|eval\(", script)
        assert 'setAttribute("style"' not in script
