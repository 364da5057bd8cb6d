"""Reads a Delta table without our own code and prints one JSON document: how the tests look at the lake independently.

    python tests/read_table.py TABLE_URI [--describe] [--columns a,b] [--storage key=value ...]

The log is read by delta-rs, the data files by Polars. TABLE_URI is file:///... or s3://...; for S3, --storage gives what
the environment does not, such as AWS_ENDPOINT_URL, AWS_ALLOW_HTTP=true, AWS_REGION and the keys.

Output: a list of rows, each an object with every column (null where there is none); days are YYYY-MM-DD, instants RFC 3339 in
UTC. With --describe an object instead: version, protocol, partition_columns, schema, configuration, files and
rows (how many).
"""

import argparse
import datetime
import json
import sys

import polars
from deltalake import DeltaTable


def plain(value):
    """What JSON cannot hold: days and instants in their usual spelling."""
    if isinstance(value, datetime.datetime):
        if value.tzinfo is None:
            raise ValueError(f"the instant {value} has no time zone")
        return value.astimezone(datetime.timezone.utc).isoformat().replace("+00:00", "Z")
    if isinstance(value, datetime.date):
        return value.isoformat()
    raise TypeError(f"JSON cannot hold {value!r}")


def description(table):
    """What the log says of the table."""
    protocol, metadata = table.protocol(), table.metadata()
    adds = polars.DataFrame(table.get_add_actions(flatten=True))
    return {
        "version": table.version(),
        "protocol": {"reader": protocol.min_reader_version, "writer": protocol.min_writer_version},
        "partition_columns": metadata.partition_columns,
        "schema": json.loads(table.schema().to_json())["fields"],
        "configuration": metadata.configuration,
        "files": adds["path"].to_list(),
        "rows": adds["num_records"].sum(),
    }


def rows(table, columns, storage):
    """Every row, in no particular order."""
    frame = polars.scan_delta(table, storage_options=storage or None)
    return (frame.select(columns) if columns else frame).collect().to_dicts()


arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
arguments.add_argument("table")
arguments.add_argument("--describe", action="store_true")
arguments.add_argument("--columns", type=lambda names: names.split(","))
arguments.add_argument("--storage", nargs="*", default=[], metavar="KEY=VALUE")
given = arguments.parse_args()
options = dict(pair.split("=", 1) for pair in given.storage)
opened = DeltaTable(given.table, storage_options=options or None)
answer = description(opened) if given.describe else rows(opened, given.columns, options)
json.dump(answer, sys.stdout, default=plain)
