"""What every way into the engine must answer alike (tests/parity/steps.txt), through the Python package."""

import pathlib
from decimal import Decimal

import rustdb

STEPS = pathlib.Path(__file__).parents[2] / "tests" / "parity" / "steps.txt"


def cell(value):
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "t" if value else "f"
    if isinstance(value, float):
        return repr(value).removesuffix(".0")
    assert isinstance(value, (int, str, Decimal)), type(value)
    return str(value)


def answer(cur, sql):
    try:
        cur.execute(sql)
        if cur.description is None:
            return [f"~ {cur.rowcount}"] if cur.rowcount >= 0 else []
        return ["= " + "|".join(map(cell, row)) for row in cur]
    except rustdb.Error as error:
        return [f"! {error.sqlstate}"]


def test_python_answers_as_all_do():
    with rustdb.connect(":memory:", autocommit=True) as con:
        cur = con.cursor()
        for block in STEPS.read_text("utf-8").split("\n\n"):
            if block.startswith("#"):
                continue
            lines = block.splitlines()
            expected = [line for line in lines if line[:2] in ("= ", "~ ", "% ", "! ")]
            sql = "\n".join(lines[: len(lines) - len(expected)])
            got = answer(cur, sql)
            if expected and expected[0].startswith("%"):
                got = [f"% {len(got)}"]
            assert got == expected, sql
