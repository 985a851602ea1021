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


def test_attacks_on_the_receiver():
    args = parse(
        *("--gnss-attack", "pull-off,at=60,north=2,acceleration=0.1"),
        *("--gnss-attack", "jump,at=90,until=95,east=-30,down=5"),
    )
    first, second = args.gnss_attack
    assert (first.family, first.start_s, first.velocity_n) == ("pull-off", 60.0, (2.0, 0.0, 0.0))
    assert first.acceleration == 0.1
    assert (second.end_s, second.offset_n) == (95.0, (0.0, -30.0, 5.0))


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
        ("--port", "70000", "0 to 65535"),
        ("--udp", "192.0.2.1:14550", "loopback"),
        ("--udp", "127.0.0.1", "loopback"),
        ("--silence", "0", "0.5 to 3600"),
        ("--gnss-attack", "jump,north=3", "at=SECONDS"),
        ("--gnss-attack", "jmp,at=3", "jump, ramp, pull-off, delay or freeze"),
        ("--gnss-attack", "jump,at=3,until=2", "until=SECONDS"),
        ("--gnss-attack", "jump,at=3,west=2", "north="),
        ("--gnss-attack", "jump,at=soon", "at=SECONDS"),
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
