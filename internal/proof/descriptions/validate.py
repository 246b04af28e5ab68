"""Checks the schemas, and validates the values that stand on standard input, one JSON object a line: {"schema": reference, "value": ...}.
Prints one line for each: ok, or what is wrong."""
import json
import pathlib
import sys

from jsonschema import Draft202012Validator, RefResolver

folder = pathlib.Path(sys.argv[1]).resolve()
store = {}
for name in ("record.schema.json", "message.schema.json"):
    schema = json.loads((folder / name).read_text("utf-8"))
    Draft202012Validator.check_schema(schema)
    store[(folder / name).as_uri()] = schema
resolver = RefResolver(folder.as_uri() + "/", None, store=store)
for line in sys.stdin:
    case = json.loads(line)
    where, schema = resolver.resolve(folder.as_uri() + "/" + case["schema"])
    own = RefResolver(where, store[where.split("#")[0]], store=store)
    errors = [e.message for e in Draft202012Validator(schema, resolver=own).iter_errors(case["value"])]
    print("; ".join(errors).replace("\n", " ") or "ok")
