"""Runs what docs/QUERIES.md shows, as it stands there: Python as it is, SQL through the DuckDB connection that the Python opens.

    python tests/queries.py LAKE

Only blocks that are marked `python` or `sql` and nothing else; Athena's statements cannot be run here. Prints each block's result, and in the end one JSON
object: how many blocks there were of each kind, and the first words of the queries that found nothing.
"""

import json
import pathlib
import re
import sys

lake = pathlib.Path(sys.argv[1])
page = (pathlib.Path(__file__).parent.parent / "docs" / "QUERIES.md").read_text()
blocks = re.findall(r"^```(python|sql)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
names, empty = {}, []
for kind, code in blocks:
    if kind == "python":
        exec(code.replace("my-data/lake", str(lake)), names)
        continue
    answer = names["db"].sql(code)
    answer.show(max_width=180, max_rows=8)
    if not answer.fetchall():
        empty.append(" ".join(code.split()[:12]))
kinds = [kind for kind, _ in blocks]
print(json.dumps({"python": kinds.count("python"), "sql": kinds.count("sql"), "empty": empty}))
