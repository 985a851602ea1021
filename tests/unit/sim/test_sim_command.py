"""`sekisho sim`: what its options accept."""

import argparse

import pytest

from sekisho.sim_command import add_parser


def parse(*argv: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_parser(parser.add_subparsers())
    return parser.parse_args(["sim", *argv])


def test_good_options():
    args = parse("--home=-35.36,149.16,584,353", "--wind", "4,270", "--speedup", "8")
    assert (args.home, args.wind, args.speedup) == ((-35.36, 149.16, 584, 353), (4, 270), 8)


@pytest.mark.parametrize(
    ("option", "value", "allowed"),
    [
        ("--speedup", "0", "0.1 to 20"),
        ("--speedup", "nan", "0.1 to 20"),
        ("--home", "95,0,0,0", "LAT,LON,ALT,HDG"),
        ("--home", "1,2,3", "LAT,LON,ALT,HDG"),
        ("--wind", "50,0", "0 to 20 m/s"),
        ("--sysid", "0", "1 to 255"),
        ("--ekf-ready", "soon", "0.5 to 120"),
    ],
)
def test_bad_options_are_named_with_value_and_range(capsys, option, value, allowed):
    with pytest.raises(SystemExit) as ended:
        parse(option, value)
    assert ended.value.code == 2
    said = " ".join(capsys.readouterr().err.split())
    assert option in said
    assert repr(value) in said
    assert allowed in said
