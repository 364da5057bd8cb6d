"""Checks an OpenAPI document, and answers against it, without our own code.

    python tests/openapi_check.py DOCUMENT < ANSWERS

ANSWERS is a JSON list of [path, status, answer]. The document has to be OpenAPI 3.1 with every reference in place, and each answer has to be what
the document says of GET on its path with that status; of a path or method that it does not know, a Refusal. Prints one JSON
object: how many answers there were by path and status, and what differs; ends with 1 where anything does.
"""

import json
import sys
from collections import Counter

from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

document = json.load(open(sys.argv[1]))
differs = [error.message for error in OpenAPIV31SpecValidator(document).iter_errors()]
if document["openapi"] != "3.1.0":
    differs.append(f"OpenAPI {document['openapi']}")


def resolved(value):
    """What a reference within the document stands for."""
    while "$ref" in value and not value["$ref"].startswith("#/components/schemas/"):
        _, *names = value["$ref"].split("/")
        value = document
        for name in names:
            value = value[name]
    return value


def schema(path, status):
    """What the document says of such an answer; nothing where it says nothing."""
    operation = document["paths"].get(path, {}).get("get")
    if operation is None or status in (404, 405):
        return {"$ref": "#/components/schemas/Refusal"}
    response = operation["responses"].get(str(status))
    return response and resolved(response)["content"]["application/json"]["schema"]


counts = Counter()
for path, status, answer in json.load(sys.stdin):
    counts[f"{path} {status}"] += 1
    wanted = schema(path, status)
    if wanted is None:
        differs.append(f"{path}: {status} is not in the document")
        continue
    checker = Draft202012Validator({**wanted, "components": document["components"]}, format_checker=Draft202012Validator.FORMAT_CHECKER)
    differs += [f"{path} {status}: {error.json_path}: {error.message}" for error in checker.iter_errors(answer)]
print(json.dumps({"answers": counts, "differs": differs[:20]}))
sys.exit(1 if differs else 0)
