"""Makes the cases of keys that all registry converters share, for the format that is its argument: avro, protobuf or json-schema.

With schema.backup.enabled, messages that are read become wrappers with their schemas, wrappers that are written become messages again. With
validation.rules.execution a converter is refused that has no executor. Who answers them stands in README.md.
"""

import json
import sys

ON = {"schema.backup.enabled": "true"}
NAME = "io.confluent.connect.backup.Wrapper"
TEXT, NUMBER = {"type": "string", "optional": True}, {"type": "int32", "optional": True}
ROW = {
    "type": "struct", "name": "R", "optional": False,
    "fields": [{"field": "a", "type": "string", "optional": False}, {"field": "b", "type": "int64", "optional": False}],
}
WITH_SHARED = {
    "type": "struct", "name": "Top", "optional": False,
    "fields": [{"field": "s", "type": "struct", "name": "Shared", "optional": False,
                "fields": [{"field": "x", "type": "int32", "optional": False}]}],
}


def compact(schema):
    return json.dumps(schema, separators=(",", ":"))


class Avro:
    type = "AVRO"
    other = "PROTOBUF"
    row = compact({"type": "record", "name": "R", "fields": [{"name": "a", "type": "string"}, {"name": "b", "type": "long"}]})
    documented = compact({
        "type": "record", "name": "R", "doc": "a row", "fields": [{"name": "a", "type": "string"}, {"name": "b", "type": "long"}],
    })
    shared = ("Shared", compact({"type": "record", "name": "Shared", "fields": [{"name": "x", "type": "int"}]}))
    top = compact({"type": "record", "name": "Top", "fields": [{"name": "s", "type": "Shared"}]})
    broken = '{"type":"record"'
    reads = [
        (row, "0468690e", []),
        ('"string"', "046869", []),
        ('["null","string"]', "02046869", []),
        ('["null","string"]', "00", []),
        ('{"type":"array","items":"int"}', "04020400", []),
        ('{"type":"bytes","logicalType":"decimal","precision":5,"scale":2}', "0404d2", []),
        (top, "0e", [shared]),
        (row, "0468", []),
    ]


class Protobuf:
    type = "PROTOBUF"
    other = "AVRO"
    row = 'syntax = "proto3";\n\nmessage R {\n  string a = 1;\n  int64 b = 2;\n}\n'
    documented = 'syntax = "proto3";\npackage docs;\n\nmessage First {\n  int32 z = 1;\n}\nmessage R {\n  string a = 1;\n  int64 b = 2;\n}\n'
    shared = ("shared.proto", 'syntax = "proto3";\n\nmessage Shared {\n  int32 x = 1;\n}\n')
    top = 'syntax = "proto3";\n\nimport "shared.proto";\n\nmessage Top {\n  Shared s = 1;\n}\n'
    broken = "message {"
    nested = 'syntax = "proto3";\n\nmessage A {\n  int32 x = 1;\n\n  message B {\n    string y = 1;\n  }\n}\nmessage C {\n  int32 z = 1;\n}\n'
    reads = [
        (row, "000a0268691007", []),
        (row, "00", []),
        (nested, "000807", []),
        (nested, "0400000a0179", []),
        (nested, "02020807", []),
        (top, "000a020807", [shared]),
        (row, "000aff", []),
    ]


class JsonSchema:
    type = "JSON_SCHEMA"
    other = "JSON"
    row = compact({"type": "object", "title": "R", "properties": {
        "a": {"type": "string", "connect.index": 0}, "b": {"type": "integer", "connect.index": 1, "connect.type": "int64"}}})
    documented = compact({"type": "object", "title": "R", "description": "a row", "properties": {
        "a": {"type": "string"}, "b": {"type": "integer"}}, "additionalProperties": True})
    shared = ("shared.json", compact({"type": "object", "title": "Shared", "properties": {"x": {"type": "integer", "connect.type": "int32"}}}))
    top = compact({"type": "object", "title": "Top", "properties": {"s": {"$ref": "shared.json"}}})
    broken = '{"type":'
    reads = [
        (row, '{"a":"hi","b":7}', []),
        ('{"type":"string"}', '"hi"', []),
        ('{"oneOf":[{"type":"null"},{"type":"string"}]}', '"hi"', []),
        ('{"oneOf":[{"type":"null"},{"type":"string"}]}', "null", []),
        ('{"type":"array","items":{"type":"integer"}}', "[1,2]", []),
        (top, '{"s":{"x":7}}', [shared]),
        (row, '{"a":', []),
    ]


def field(schema, name):
    return {**schema, "field": name}


def wrapper(kind, schema, value, without=(), optional=False, **changed):
    """A wrapper in JsonConverter's envelope."""
    fields = [
        (field(schema, "data"), value), (field(NUMBER, "schemaId"), 41), (field(NUMBER, "schemaVersion"), 7),
        (field(TEXT, "schemaGuid"), None), (field({"type": "string", "optional": False}, "schemaType"), kind.type),
        (field({"type": "string", "optional": False}, "schemaSubject"), "else-value"), (field(TEXT, "rawSchema"), kind.row),
        (field(TEXT, "referenceTree"), None), (field(TEXT, "directRefs"), None),
    ]
    fields = [pair for pair in fields if pair[0]["field"] not in without]
    payload = {schema["field"]: changed.get(schema["field"], value) for schema, value in fields}
    schema = {"type": "struct", "name": NAME, "optional": optional, "fields": [schema for schema, _ in fields]}
    return {"schema": schema, "payload": payload}


def writes(kind):
    row = {"a": "hi", "b": 7}
    name, text = kind.shared
    entry = {"subject": "shared", "version": 3, "schema": text, "references": [], "globalId": 12, "schemaType": kind.type}
    tree = compact({name: entry})
    direct = compact([{"name": name, "subject": "shared", "version": 3}])
    shared = {"referenceTree": tree, "directRefs": direct, "rawSchema": kind.top}
    plain = {"schema": ROW, "payload": row}
    yield wrapper(kind, ROW, row), ON
    yield wrapper(kind, ROW, row), {"schema.backup.enabled": "TRUE"}
    yield wrapper(kind, ROW, row, rawSchema=kind.documented), ON
    yield wrapper(kind, WITH_SHARED, {"s": {"x": 7}}, **shared), ON
    yield wrapper(kind, ROW, row, without=["schemaId", "schemaVersion", "schemaGuid", "referenceTree", "directRefs"]), ON
    yield wrapper(kind, ROW, row, schemaType=kind.other), ON
    yield wrapper(kind, ROW, row, rawSchema=None), ON
    yield wrapper(kind, ROW, row, rawSchema=kind.broken), ON
    for missing in ("data", "schemaType", "rawSchema"):
        yield wrapper(kind, ROW, row, without=[missing]), ON
    yield wrapper(kind, ROW, row, referenceTree=tree), ON
    yield wrapper(kind, ROW, row, directRefs=direct), ON
    yield wrapper(kind, ROW, row, referenceTree="{}", directRefs="[]"), ON
    yield wrapper(kind, ROW, row, referenceTree="", directRefs=""), ON
    yield wrapper(kind, ROW, row, referenceTree="{", directRefs=direct), ON
    yield wrapper(kind, ROW, row, referenceTree=tree, directRefs="["), ON
    gone = compact([{"name": "gone", "subject": "gone", "version": 1}])
    yield wrapper(kind, ROW, row, referenceTree=tree, directRefs=gone), ON
    circle = compact({name: {**entry, "references": [{"name": name, "subject": "shared", "version": 3}]}})
    yield wrapper(kind, WITH_SHARED, {"s": {"x": 7}}, **{**shared, "referenceTree": circle}), ON
    yield wrapper(kind, {**ROW, "optional": True}, None), ON
    yield {**wrapper(kind, ROW, row, optional=True), "payload": None}, ON
    yield plain, ON
    yield wrapper(kind, ROW, row), {}


def main():
    kind = {"avro": Avro, "protobuf": Protobuf, "json-schema": JsonSchema}[sys.argv[1]]
    for schema, payload, uses in kind.reads:
        uses = {"uses": [{"name": name, "schema": text} for name, text in uses]} if uses else {}
        print(json.dumps({"config": ON, **uses, "schema": schema, "payload": payload}))
    for when in ("BEFORE_DOMAIN_RULES", "after_domain_rules", "SOMETIMES", "disabled"):
        plain = {"schema": ROW, "payload": {"a": "hi", "b": 7}}
        print(json.dumps({"config": {"validation.rules.execution": when}, "envelope": plain}))
    for envelope, config in writes(kind):
        print(json.dumps({"config": config, "envelope": envelope}))


main()
