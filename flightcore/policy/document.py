"""The table for people: Markdown for the documents, lines for a terminal, plain data for JSON."""

from collections.abc import Sequence
from typing import Final

from flightcore.policy.rows import Does, Group, Kind, Row, Table

TITLES: Final = {
    Kind.MESSAGE: "Messages",
    Kind.COMMAND: "Commands: COMMAND_LONG and COMMAND_INT",
    Kind.ITEM: "Mission items: MISSION_ITEM and MISSION_ITEM_INT",
    Kind.PARAMETER: "Parameters: PARAM_SET",
    Kind.FILE: "File operations: FILE_TRANSFER_PROTOCOL",
    Kind.TRAJECTORY: "Trajectories: TRAJECTORY records and their upload",
}


class _Alike:
    """Rows that are treated alike for the same reason, shown together."""

    def __init__(self, row: Row) -> None:
        self.names = [row.name]
        self.row = row

    def takes(self, row: Row) -> bool:
        return (self.row.rule, self.row.why, self.row.cases) == (row.rule, row.why, row.cases)


def _together(rows: Sequence[Row]) -> list[_Alike]:
    found: list[_Alike] = []
    for row in rows:
        for alike in found:
            if alike.takes(row):
                alike.names.append(row.name)
                break
        else:
            found.append(_Alike(row))
    return found


def _does(row: Row) -> str:
    """Return what a row does. A fixed row that passes is judged by another kind of row."""
    judged_inside = row.is_fixed and row.rule.does is Does.FORWARD
    return "as below" if judged_inside else row.rule.words()


def markdown(table: Table, kind: Kind) -> str:
    """Return the rows of one kind as Markdown tables, one a group."""
    return "\n\n".join(_markdown_of(group) for group in table[kind])


def _markdown_of(group: Group) -> str:
    lines = [f"### {group.title}", "", "| what | when | does | why |", "|---|---|---|---|"]
    for alike in _together(group.rows):
        names = ", ".join(f"`{name}`" for name in alike.names)
        for case in alike.row.cases:
            named = names if len(alike.names) > 1 else f"`{alike.row.name}.{case.key}`"
            lines.append(f"| {named} | {case.when} | {case.rule.words()} | {case.why} |")
        when = "otherwise" if alike.row.cases else ""
        lines.append(f"| {names} | {when} | {_does(alike.row)} | {alike.row.why} |")
    return "\n".join(lines)


def listing(table: Table) -> list[str]:
    """Return the table as lines for a terminal: name, rule, and why, under its group."""
    lines = []
    for kind in Kind:
        lines += ["", TITLES[kind].upper()]
        for group in table[kind]:
            lines += ["", f"  {group.title}"]
            for row in group.rows:
                for case in row.cases:
                    name = f"{row.name}.{case.key}"
                    lines.append(f"    {name:<42} {case.rule.words()}: {case.why} ({case.when})")
                lines.append(f"    {row.name:<42} {_does(row)}: {row.why}")
    return lines[1:]


def data(table: Table) -> dict[str, list[dict[str, object]]]:
    """Return the table as plain data."""
    return {
        kind.value: [
            {
                "name": row.name,
                "group": group.title,
                "rule": _does(row),
                "why": row.why,
                "cases": [
                    {"key": c.key, "when": c.when, "rule": c.rule.words(), "why": c.why}
                    for c in row.cases
                ],
            }
            for group in table[kind]
            for row in group.rows
        ]
        for kind in Kind
    }
