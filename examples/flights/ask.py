"""Answers the statement in a file and prints the rows, values apart by commas: ask.py DATABASE FILE"""

import sys
from pathlib import Path

import rustdb

with rustdb.connect(sys.argv[1]) as con:
    for row in con.execute(Path(sys.argv[2]).read_text()):
        print(*row, sep=",")
