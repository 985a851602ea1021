"""`sekisho console`: print the address that opens the console of the running gateway."""

import argparse
import sys

import msgspec

from sekisho.authority import add_config_option, find_gateway
from sekisho.console_service import CONSOLE_REQUEST
from sekisho.runtime import query


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `console`."""
    parser = subparsers.add_parser(
        "console",
        help="print the address of the operator's console",
        description="Print the address that opens the console of the running gateway. Whoever has "
        "it and can reach this machine's loopback may fly; it is worth nothing after the gateway "
        "has stopped.",
        epilog="example: xdg-open $(sekisho console)",
    )
    parser.add_argument("--viewer", action="store_true", help="an address that may only watch")
    parser.add_argument("--json", action="store_true", help="both addresses as one JSON object")
    add_config_option(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the address; exit 1 if the gateway serves none."""
    answer = msgspec.json.decode(query(find_gateway(arguments.config), CONSOLE_REQUEST + b"\n"))
    if "operator" not in answer:
        print(f"sekisho: {answer['why']}", file=sys.stderr)
        return 1
    print(
        msgspec.json.encode(answer).decode()
        if arguments.json
        else answer["viewer" if arguments.viewer else "operator"]
    )
    return 0
