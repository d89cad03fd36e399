"""Commits one row after the other and prints the id of each when its commit has been acknowledged."""

import itertools
import sys

import rustdb

with rustdb.connect(sys.argv[1], autocommit=True) as con:
    for number in itertools.count():
        con.execute("insert into journal values (?, ?)", (number, f"entry {number} " + "x" * (number % 500)))
        print(number, flush=True)
