"""Calls AWS operations through boto3 and prints what they answered: how the tests look at AWS without our own code.

Argument: a JSON list of [service, operation, arguments]. Output: a JSON list of the answers.
"""

import base64
import json
import sys

import boto3


def plain(value):
    """What JSON cannot hold: streams become their text, instants ISO 8601, other bytes base64."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value.read().decode() if hasattr(value, "read") else value.isoformat()


answers = [
    getattr(boto3.client(service), operation)(**arguments)
    for service, operation, arguments in json.loads(sys.argv[1])
]
json.dump(answers, sys.stdout, default=plain)
