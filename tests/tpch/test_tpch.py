"""TPC-H at scale factor 0.01: the 22 answers with much and with little memory, and breakers that have to spill.

The data is made by ``tpchgen-cli`` (PyPI); ``expected.json`` holds PostgreSQL 15's answers over the same data.
"""

import json
import re
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

import rustdb

HERE = Path(__file__).parent
EXPECTED = json.loads((HERE / "expected.json").read_text())
TABLES = ["region", "nation", "supplier", "customer", "part", "partsupp", "orders", "lineitem"]


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tpch")
    generator = Path(sys.executable).parent / "tpchgen-cli"
    command = [generator, "csv", "--scale-factor", "0.01", "--output-dir", folder]
    subprocess.run(command, check=True, capture_output=True)
    return folder


def load(data, path, memory_limit):
    con = rustdb.connect(path, autocommit=True, memory_limit=memory_limit)
    for statement in (HERE / "schema.sql").read_text().split(";"):
        if statement.strip():
            con.execute(statement)
    for table in TABLES:
        con.execute(f"copy {table} from '{data / table}.csv' (format csv, header)")
    return con


@pytest.fixture(scope="session")
def roomy(data, tmp_path_factory):
    with load(data, tmp_path_factory.mktemp("roomy") / "tpch.db", 1 << 30) as con:
        yield con


@pytest.fixture(scope="session")
def tight(data, tmp_path_factory):
    with load(data, tmp_path_factory.mktemp("tight") / "tpch.db", 24 << 20) as con:
        yield con


def answer(con, number):
    rows = con.execute((HERE / "queries" / f"q{number:02}.sql").read_text()).fetchall()
    return [[str(value.normalize() + 0) if isinstance(value, Decimal) else str(value) for value in row] for row in rows]


def agree(found, wanted):
    """Equal texts, or numbers that differ in the digits of a long average alone."""
    if found == wanted:
        return True
    try:
        a, b = Decimal(found), Decimal(wanted)
    except ArithmeticError:
        return False
    return abs(a - b) <= Decimal("1e-9") * max(abs(a), abs(b))


def check(con, number):
    found, wanted = answer(con, number), EXPECTED[str(number)]
    assert len(found) == len(wanted)
    for row, expected in zip(found, wanted):
        assert len(row) == len(expected) and all(map(agree, row, expected)), (row, expected)


@pytest.mark.parametrize("number", range(1, 23))
def test_answers(roomy, number):
    check(roomy, number)


@pytest.mark.parametrize("number", range(1, 23))
def test_answers_with_little_memory(tight, number):
    check(tight, number)


MANY = "(select l_comment, l_orderkey, i from lineitem, generate_series(1, 6) as g(i)) as many"


@pytest.mark.parametrize("sql", [
    f"select count(*), sum(n), max(c) from (select l_comment as c, l_orderkey, i, count(*) as n from {MANY}"
    " group by l_comment, l_orderkey, i) x",
    f"select count(*), max(l_comment) from (select * from {MANY} order by l_comment, l_orderkey, i limit 1000000) x",
    f"select count(*) from (select l_comment || l_orderkey || '/' || i as key from {MANY}) a"
    f" join (select l_comment || l_orderkey || '/' || i as key from {MANY}) b on a.key = b.key",
])
def test_breakers_spill_and_give_the_same_rows(roomy, tight, sql):
    plan = "\n".join(row[0] for row in tight.execute(f"explain analyze {sql}"))
    spilled = [int(kilobytes) for kilobytes in re.findall(r"Spilled: (\d+) kB", plan)]
    assert sum(spilled) > 0, plan
    assert sorted(tight.execute(sql).fetchall()) == sorted(roomy.execute(sql).fetchall())


@pytest.mark.parametrize("number", [2, 4, 17, 20, 21, 22])
def test_subqueries_are_joins(roomy, number):
    sql = (HERE / "queries" / f"q{number:02}.sql").read_text()
    plan = "\n".join(row[0] for row in roomy.execute(f"explain {sql}"))
    # What is computed once for all rows may be met row by row.
    assert re.search(r"Hash (Right )?(Semi |Anti |Left )?Join", plan) and "SubPlan" not in plan, plan
