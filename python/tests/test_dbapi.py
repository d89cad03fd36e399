"""PEP 249's rules, values both ways, errors, transactions and threads."""

import datetime as dt
import os
import pickle
import subprocess
import sys
import threading
import uuid
from decimal import Decimal

import pytest

import rustdb


@pytest.fixture
def con():
    with rustdb.connect(":memory:") as con:
        yield con


def test_module_says_what_it_is():
    assert (rustdb.apilevel, rustdb.threadsafety, rustdb.paramstyle) == ("2.0", 2, "qmark")
    assert issubclass(rustdb.UniqueViolation, rustdb.IntegrityError)
    assert issubclass(rustdb.IntegrityError, rustdb.DatabaseError)
    assert issubclass(rustdb.InterfaceError, rustdb.Error)


def test_rows_are_described_and_fetched(con):
    cur = con.cursor()
    assert cur.description is None and cur.rowcount == -1
    cur.execute("select i, i::numeric(6,2), 'x' || i from generate_series(1, 5) as g(i)")
    assert [column[0] for column in cur.description] == ["i", "i", "?column?"]
    assert cur.description[0][1] == rustdb.NUMBER and cur.description[2][1] == rustdb.STRING
    assert cur.description[1][4:6] == (6, 2)
    assert cur.rowcount == 5
    assert cur.fetchone() == (1, Decimal("1.00"), "x1")
    assert cur.fetchmany() == [(2, Decimal("2.00"), "x2")]
    assert cur.fetchmany(2) == [(3, Decimal("3.00"), "x3"), (4, Decimal("4.00"), "x4")]
    assert list(cur) == [(5, Decimal("5.00"), "x5")]
    assert cur.fetchone() is None and cur.fetchall() == []
    cur.execute("select i from generate_series(1, 5) as g(i)")
    assert cur.fetchmany(2) == [(1,), (2,)] and cur.fetchall() == [(3,), (4,), (5,)]


def test_numbers_are_not_rounded_to_the_type_that_a_parameter_would_have(con):
    con.execute("create table n (a int, v varchar(3), d numeric(5, 2))")
    con.execute("insert into n values (1, 'abc', 1.25), (2, null, null)")
    assert con.execute("select a * ? from n order by a", [0.5]).fetchall() == [(0.5,), (1.0,)]
    assert con.execute("select a from n where a = ?", [1.5]).fetchall() == []
    assert con.execute("select a from n where a = ?", [Decimal("2")]).fetchall() == [(2,)]
    assert con.execute("select coalesce(?, 1)", [1.5]).fetchone() == (1.5,)
    assert con.execute("select coalesce(v, ?) from n order by a", ["none!"]).fetchall() == [("abc",), ("none!",)]
    found = con.execute("select coalesce(d, ?) from n order by a", [Decimal("1.23456")]).fetchall()
    assert found == [(Decimal("1.25"),), (Decimal("1.23456"),)]
    con.execute("insert into n (a) values (?)", [2.5])
    assert con.execute("select count(*) from n where a = 2").fetchone() == (2,)


def test_long_results_survive_the_next_statement(con):
    first = con.execute("select i from generate_series(1, 10000) as g(i)")
    assert first.fetchone() == (1,)
    assert con.execute("select 'between'").fetchone() == ("between",)
    assert [row[0] for row in first] == list(range(2, 10001))


@pytest.mark.parametrize(
    ("value", "ty"),
    [
        (None, "int"),
        (True, "boolean"),
        (-32768, "smallint"),
        (2**31 - 1, "int"),
        (-(2**63), "bigint"),
        (1.5, "float8"),
        (float("inf"), "float8"),
        (Decimal("123.4500"), "numeric"),
        ("snow \u2603 '\"", "text"),
        ("", "text"),
        (b"\x00\xff", "bytea"),
        (dt.date(1, 1, 1), "date"),
        (dt.date(9999, 12, 31), "date"),
        (dt.time(23, 59, 59, 999999), "time"),
        (dt.datetime(2024, 2, 29, 12, 30, 0, 123456), "timestamp"),
        (dt.datetime(1969, 12, 31, 23, 0, tzinfo=dt.timezone.utc), "timestamptz"),
        (uuid.UUID(int=7), "uuid"),
        (rustdb.Interval(14, 3, -5), "interval"),
    ],
)
def test_values_come_back_as_they_went(con, value, ty):
    assert con.execute(f"select $1::{ty}", [value]).fetchone() == (value,)
    if value is not None:
        # What the text does not say of a parameter, its value does.
        assert con.execute("select ?", [value]).fetchone() == (value,)


def test_other_values_are_converted_or_refused(con):
    assert con.execute("select $1", [2**70]).fetchone() == (Decimal(2**70),)
    assert con.execute("select $1", [dt.timedelta(days=1, seconds=2)]).fetchone() == (rustdb.Interval(0, 1, 2_000_000),)
    east = dt.timezone(dt.timedelta(hours=2))
    sent = dt.datetime(2020, 1, 1, 2, tzinfo=east)
    assert con.execute("select $1", [sent]).fetchone() == (sent,)
    with pytest.raises(rustdb.ProgrammingError, match="cannot adapt type 'object'"):
        con.execute("select $1", [object()])


def test_parameters_by_position_and_name(con):
    assert con.execute("select ?::int - ?::int", (5, 3)).fetchone() == (2,)
    assert con.execute("select $2::int - $1::int", (5, 3)).fetchone() == (-2,)
    assert con.execute("select :a::int - $b::int", {"b": 3, "a": 5}).fetchone() == (2,)
    with pytest.raises(rustdb.Error):
        con.execute("select ?::int", [])
    with pytest.raises(rustdb.ProgrammingError):
        con.execute("select ?", "text")


def test_counts_and_status(con):
    con.execute("create table t (id int primary key, v text)")
    cur = con.executemany("insert into t values (?, ?)", ((i, str(i)) for i in range(3000)))
    assert cur.rowcount == 3000
    assert con.execute("update t set v = 'x' where id < 10").rowcount == 10
    cur = con.execute("delete from t where id >= 2990 returning id")
    assert (cur.rowcount, cur.statusmessage, len(cur.fetchall())) == (10, "DELETE", 10)
    with pytest.raises(rustdb.ProgrammingError):
        con.execute("update t set v = 'y'").fetchall()


def test_errors_tell_what_postgresql_tells(con):
    con.execute("create table t (id int primary key, n int not null check (n > 0))")
    con.commit()
    for sql, cls, fields in [
        ("selec 1", rustdb.SyntaxError, {"sqlstate": "42601", "position": 1}),
        ("select * from nope", rustdb.UndefinedTable, {"sqlstate": "42P01", "position": 15}),
        ("select 1/0", rustdb.DivisionByZero, {"sqlstate": "22012"}),
        ("insert into t values (1, null)", rustdb.NotNullViolation, {"column_name": "n", "table_name": "t"}),
        ("insert into t values (1, -1)", rustdb.CheckViolation, {"constraint_name": "t_n_check"}),
        ("insert into t values (1, 1), (1, 1)", rustdb.UniqueViolation, {"constraint_name": "t_pkey"}),
    ]:
        with pytest.raises(cls) as caught:
            con.execute(sql)
        con.rollback()
        for name, value in fields.items():
            assert getattr(caught.value, name) == value, sql
        copy = pickle.loads(pickle.dumps(caught.value))
        assert type(copy) is cls and str(copy) == str(caught.value) and copy.sqlstate == caught.value.sqlstate


def test_transactions_begin_by_themselves(tmp_path):
    path = tmp_path / "t.db"
    with rustdb.connect(path) as one, rustdb.connect(path) as two:
        one.execute("create table t (id int)")
        assert one.in_transaction
        one.commit()
        one.execute("insert into t values (1)")
        assert two.execute("select count(*) from t").fetchone() == (0,)
        two.commit()
        one.rollback()
        one.execute("insert into t values (2)")
        one.commit()
        assert two.execute("select id from t").fetchall() == [(2,)]
    assert [name.name for name in tmp_path.iterdir()] == ["t.db"]
    with pytest.raises(ZeroDivisionError), rustdb.connect(path) as con:
        con.execute("insert into t values (3)")
        raise ZeroDivisionError
    with rustdb.connect(path, autocommit=True) as con:
        assert con.execute("select id from t").fetchall() == [(2,)]


def test_a_failed_transaction_hears_only_rollback(con):
    con.execute("create table t (id int)")
    con.commit()
    con.execute("insert into t values (1)")
    with pytest.raises(rustdb.DivisionByZero):
        con.execute("select 1/0")
    with pytest.raises(rustdb.InFailedSqlTransaction):
        con.execute("select 1")
    con.rollback()
    assert con.execute("select count(*) from t").fetchone() == (0,)


def test_blocks_nest(con):
    con.autocommit = True
    con.execute("create table t (id int)")
    with con.transaction():
        con.execute("insert into t values (1)")
        with pytest.raises(ValueError), con.transaction():
            con.execute("insert into t values (2)")
            raise ValueError
        with con.transaction():
            con.execute("insert into t values (3)")
    assert con.execute("select id from t order by id").fetchall() == [(1,), (3,)]
    assert con.run(lambda c: c.execute("select count(*) from t").fetchone()) == (2,)


def test_executemany_is_all_or_nothing(con):
    con.autocommit = True
    con.execute("create table t (id int primary key)")
    with pytest.raises(rustdb.UniqueViolation):
        con.executemany("insert into t values (?)", [(1,), (2,), (1,)])
    assert con.execute("select count(*) from t").fetchone() == (0,)


def test_threads_write_at_once(tmp_path):
    path = str(tmp_path / "t.db")
    with rustdb.connect(path, autocommit=True) as con:
        con.execute("create table t (thread int, n int, primary key (thread, n))")

        def work(number):
            with rustdb.connect(path, autocommit=True) as mine:
                for n in range(50):
                    mine.execute("insert into t values (?, ?)", (number, n))

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert con.execute("select count(*), count(distinct thread) from t").fetchone() == (200, 4)


def test_statements_are_interrupted_from_another_thread(con):
    con.autocommit = True
    con.execute("create table t as select i from generate_series(1, 3000) as g(i)")
    timer = threading.Timer(0.2, con.interrupt)
    timer.start()
    with pytest.raises(rustdb.QueryCanceled):
        con.execute("select count(*) from t a, t b, t c where a.i + b.i <> c.i")
    timer.join()
    assert con.execute("select 1").fetchone() == (1,)


def test_timeouts_and_settings(tmp_path):
    path = tmp_path / "t.db"
    with rustdb.connect(path, autocommit=True, timeout=0.1, options={"application_name": "me"}) as one:
        assert one.execute("show application_name").fetchone() == ("me",)
        assert one.execute("show lock_timeout").fetchone() == ("100ms",)
        one.execute("create table t (id int primary key, v int)")
        one.execute("insert into t values (1, 1)")
        with rustdb.connect(path) as two:
            two.execute("update t set v = 2")
            with pytest.raises(rustdb.LockNotAvailable):
                one.execute("update t set v = 3")
    with pytest.raises(rustdb.ProgrammingError):
        rustdb.connect(":memory:", isolation_level="none")
    with pytest.raises(rustdb.NotSupportedError):
        rustdb.connect(":memory:", isolation_level="serializable")


def test_closed_things_are_refused(con):
    cur = con.cursor()
    cur.close()
    with pytest.raises(rustdb.InterfaceError):
        cur.execute("select 1")
    con.close()
    con.close()
    with pytest.raises(rustdb.InterfaceError):
        con.cursor()
    with pytest.raises(rustdb.InterfaceError):
        con.commit()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.parametrize(
    "wrong",
    [{"timeout": -1}, {"timeout": float("nan")}, {"timeout": 1e10}, {"memory_limit": -1}, {"memory_limit": 0},
     {"memory_limit": 1 << 70}, {"threads": -1}, {"threads": 0}],
)
def test_arguments_that_cannot_be_are_errors_of_this_package(wrong):
    with pytest.raises(rustdb.ProgrammingError) as caught:
        rustdb.connect(":memory:", **wrong)
    assert caught.value.sqlstate == "22023"


def test_an_endless_timeout_and_rows_below_none():
    with rustdb.connect(":memory:", timeout=float("inf")) as connection:
        cursor = connection.execute("SELECT 1")
        with pytest.raises(rustdb.ProgrammingError):
            cursor.fetchmany(-1)
        assert cursor.fetchmany(0) == []
        assert cursor.fetchmany(1) == [(1,)]


def test_a_child_may_not_use_the_connection(tmp_path):
    con = rustdb.connect(tmp_path / "t.db", autocommit=True)
    con.execute("create table t (id int)")
    child = os.fork()
    if child == 0:
        try:
            con.execute("select 1")
        except rustdb.OperationalError as error:
            os._exit(0 if error.sqlstate == "08003" else 2)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    con.execute("insert into t values (1)")
    con.close()


def test_closing_gives_the_file_up_whatever_cursors_hold(tmp_path):
    path = tmp_path / "t.db"
    con = rustdb.connect(path, autocommit=True)
    short, long, unread = con.cursor(), con.cursor(), con.cursor()
    short.execute("select 1")
    assert short.fetchall() == [(1,)]
    long.execute("select i from generate_series(1, 100000) as g(i)")
    assert long.fetchone() == (1,)
    unread.execute("select 2")
    con.close()
    for cur in (short, long, unread):
        with pytest.raises(rustdb.InterfaceError):
            cur.fetchone()
    open_it = "import rustdb, sys; rustdb.connect(sys.argv[1]).execute('create table t (id int)')"
    subprocess.run([sys.executable, "-c", open_it, str(path)], check=True)


def test_executemany_may_read_from_its_own_cursor(con):
    cur = con.cursor()
    cur.execute("create table t (id int)")
    cur.execute("select 1")
    with pytest.raises(rustdb.ProgrammingError):
        cur.executemany("insert into t values (?)", cur)


def test_a_cursor_in_use_by_another_thread_is_waited_for(con):
    cur = con.cursor()
    busy = threading.Thread(target=cur.execute, args=("select count(*) from generate_series(1, 3000000) as g(i)",))
    busy.start()
    while busy.is_alive():
        assert cur.rowcount in (-1, 1)
    busy.join()
    assert cur.fetchone() == (3000000,)
