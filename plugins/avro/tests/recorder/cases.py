"""Makes the cases that Recorder.java answers: hand-made ones for each rule, and random ones. See README.md.

The cases of the other two converters take their Connect schemas and values from here."""

import base64
import itertools
import json
import random
import struct
import sys

RANDOM = random.Random(20261121)
PRIMITIVES = {
    "int8": [0, -1, 127], "int16": [300], "int32": [42, -2147483648], "int64": [1 << 40],
    "float": [1.5, 3.4], "double": [2.25, 1e10, 0.1], "boolean": [True, False],
    "string": ["", "h\u00e9\n\"\\\u0001"], "bytes": [base64.b64encode(b"\x00\xff\x7f").decode()],
}
DECIMAL = "org.apache.kafka.connect.data.Decimal"
LOGICAL = [
    ({"type": "bytes", "name": DECIMAL, "version": 1, "parameters": {"scale": "2"}}, "AJw="),
    ({"type": "bytes", "name": DECIMAL, "version": 1,
      "parameters": {"scale": "2", "connect.decimal.precision": "10"}}, "/2Q="),
    ({"type": "bytes", "name": DECIMAL, "version": 1, "parameters": {"scale": "-2"}}, "AQ=="),
    ({"type": "bytes", "name": DECIMAL, "version": 1,
      "parameters": {"scale": "9", "connect.decimal.precision": "5"}}, "AQ=="),
    ({"type": "bytes", "name": DECIMAL, "version": 1,
      "parameters": {"scale": "2", "connect.fixed.size": "6"}}, "/2Q="),
    ({"type": "int32", "name": "org.apache.kafka.connect.data.Date", "version": 1}, 10000),
    ({"type": "int32", "name": "org.apache.kafka.connect.data.Time", "version": 1}, 3600000),
    ({"type": "int64", "name": "org.apache.kafka.connect.data.Timestamp", "version": 1}, 1483425001864),
]
CONFIGS = [
    {}, {"connect.meta.data": "false"}, {"enhanced.avro.schema.support": "true"}, {"discard.type.doc.default": "true"},
    {"scrub.invalid.names": "true"}, {"ignore.default.for.nullables": "true"}, {"allow.optional.map.keys": "true"},
    {"flatten.singleton.unions": "false"}, {"generalized.sum.type.support": "true"},
]
ENUM = "io.confluent.connect.avro.Enum"


def opt(schema, **more):
    return {**schema, "optional": True, **more}


def case(schema, payload, config=None):
    return {"config": config or {}, "envelope": {"schema": schema, "payload": payload}}


def st(*fields, **more):
    return {"type": "struct", "fields": [{**schema, "field": name} for name, schema in fields], **more}


def hand_made():
    for kind, values in PRIMITIVES.items():
        base = {"type": kind}
        for value in values:
            yield case(base, value)
            yield case(opt(base), value)
            yield case(opt(base, default=values[0]), value)
            yield case({**base, "default": values[0]}, value)
            yield case({**base, "name": "a.b.Named", "doc": "d", "version": 3, "parameters": {"k": "v", "avro.x": "y"}}, value)
            yield case(st(("f", base), ("o", opt(base)), ("d", opt(base, default=values[0])), ("r", {**base, "default": value}), name="n.S"),
                       {"f": value, "o": None, "d": None, "r": value})
        yield case(opt(base), None)
        yield case(base, None)
        yield case(opt(base, default=values[0]), None, {"ignore.default.for.nullables": "true"})
        yield case({"type": "array", "items": base}, values)
        yield case({"type": "array", "items": opt(base)}, values + [None])
        yield case({"type": "map", "keys": {"type": "string"}, "values": base}, {"k": values[0]})
        yield case({"type": "map", "keys": {"type": "string", "optional": True}, "values": opt(base)}, [["k", values[0]]])
        yield case({"type": "map", "keys": base, "values": opt(base)}, [[values[0], None]])
    for schema, value in LOGICAL:
        yield case(schema, value)
        yield case(opt(schema), value)
        yield case(st(("l", schema), ("o", opt(schema)), ("d", {**schema, "default": value})), {"l": value, "o": None, "d": value})
        yield case({"type": "array", "items": schema}, [value])
    inner = st(("x", {"type": "int32"}), name="n.Inner")
    unnamed = st(("x", {"type": "int32"}))
    for config in CONFIGS:
        yield case(st(("a", inner), ("b", inner), ("c", opt(inner)), name="n.Outer"), {"a": {"x": 1}, "b": {"x": 2}, "c": None}, config)
        yield case(st(("a", unnamed), ("b", st(("y", {"type": "string"}))), ("c", opt(unnamed))),
                   {"a": {"x": 1}, "b": {"y": ""}, "c": {"x": 3}}, config)
        enum = {"type": "string", "name": "n.E", "parameters": {
            ENUM: "n.E", ENUM + ".A": "A", ENUM + ".B": "B", "io.confluent.connect.avro.enum.doc.E": "ed",
            "io.confluent.connect.avro.enum.default.E": "B"}}
        yield case(st(("e", enum), ("o", opt(enum)), name="n.WithEnum"), {"e": "A", "o": "B"}, config)
        general = {"type": "string", "name": "n.E", "parameters": {
            "org.apache.kafka.connect.data.Enum": "n.E", "org.apache.kafka.connect.data.Enum.A": "0", "org.apache.kafka.connect.data.Enum.B": "1"}}
        yield case(st(("e", general), ("o", opt(general)), name="n.WithEnum"), {"e": "A", "o": "B"}, config)
        union = st(("int", opt({"type": "int32"})), ("string", opt({"type": "string"})), ("Inner", opt(inner)),
                   name="io.confluent.connect.avro.Union")
        for payload in ({"int": 1}, {"string": "s"}, {"Inner": {"x": 5}}):
            payload = {"int": None, "string": None, "Inner": None, **payload}
            yield case(union, payload, config)
            yield case(st(("u", opt(union)), name="n.WithUnion"), {"u": payload}, config)
        yield case(st(("u", opt(union)), name="n.WithUnion"), {"u": None}, config)
        docs = st(("f", {"type": "int32", "doc": "own"}), ("g", {"type": "string"}), name="n.Docs", doc="sd", parameters={
            "io.confluent.connect.avro.record.doc": "rd", "io.confluent.connect.avro.field.doc.f": "fd", "connect.record.doc": "crd"})
        yield case(docs, {"f": 1, "g": "x"}, config)
        flag = {"type": "int32", "default": 7, "parameters": {"io.confluent.connect.avro.field.default": "true"}}
        yield case(st(("f", flag), ("o", opt(flag)), name="n.Flag"), {"f": 1, "o": None}, config)
        yield case(st(("a-b", {"type": "int32"}), ("1c", {"type": "int32"}), name="x-y.1z"), {"a-b": 1, "1c": 2}, config)
        fixed = {"type": "bytes", "name": "n.F", "parameters": {"connect.fixed.size": "3"}}
        yield case(st(("f", fixed), ("o", opt(fixed)), name="n.Fixed"), {"f": "AP9/", "o": None}, config)
        yield case({"type": "map", "keys": {"type": "int32"}, "values": inner, "name": "n.M"}, [[1, {"x": 2}]], config)
        yield case(opt({"type": "map", "keys": {"type": "int32"}, "values": {"type": "string"}}), [[1, "a"]], config)
        with_parameters = {"type": "struct", "name": "n.P", "parameters": {"p": "1"}, "fields": [{"type": "int32", "field": "x"}]}
        other = {**with_parameters, "parameters": {"p": "2"}}
        yield case(st(("a", with_parameters), ("b", opt(other)), ("c", opt(with_parameters)), name="n.Q"),
                   {"a": {"x": 1}, "b": {"x": 2}, "c": None}, config)
        yield case(opt(inner), {"x": 1}, config)
        yield case(opt(inner), None, config)
    for value in (None, True, 5, "s", 1.5, [], [1, "a", None, [True]], {"a": 1}, {"a": {"b": [None]}}, {}):
        yield {"config": {}, "envelope": {"schema": None, "payload": value}}
    yield case(st(("v", {"type": "int32", "version": 2, "doc": "\u00e9\u0002\u001f/"}), name="NoSpace", version=9), {"v": 1})
    yield case({"type": "array", "items": {"type": "array", "items": st(("x", opt({"type": "float", "default": 0.1})), name="T")}}, [[{"x": 1.25}, {"x": None}]])


def random_schema(depth, names):
    kinds = list(PRIMITIVES) + ["logical"] + (["struct", "array", "map"] * 3 if depth < 3 else [])
    kind = RANDOM.choice(kinds)
    if kind == "logical":
        schema = dict(RANDOM.choice(LOGICAL)[0])
    elif kind == "struct":
        names[0] += 1
        name = f"r.R{names[0]}"
        schema = st(*[(f"f{i}", random_schema(depth + 1, names)) for i in range(RANDOM.randint(1, 5))])
        if RANDOM.random() < 0.7:
            schema["name"] = name
    elif kind == "array":
        schema = {"type": "array", "items": random_schema(depth + 1, names)}
    elif kind == "map":
        schema = {"type": "map", "keys": {"type": "string"}, "values": random_schema(depth + 1, names)}
    else:
        schema = {"type": kind}
        if RANDOM.random() < 0.2:
            schema["default"] = RANDOM.choice(PRIMITIVES[kind])
    if RANDOM.random() < 0.4:
        schema["optional"] = True
    if "name" not in schema and schema["type"] not in ("struct", "map") and RANDOM.random() < 0.1:
        schema.update(doc="d", version=2, parameters={"p": "q"})
    return schema


def random_value(schema):
    if schema.get("optional") and RANDOM.random() < 0.3:
        return None
    for logical, value in LOGICAL:
        if schema.get("name") == logical["name"] and schema.get("parameters") == logical.get("parameters"):
            return value
    kind = schema["type"]
    if kind == "struct":
        return {field["field"]: random_value(field) for field in schema["fields"]}
    if kind == "array":
        return [random_value(schema["items"]) for _ in range(RANDOM.randint(0, 3))]
    if kind == "map":
        return {f"k{i}": random_value(schema["values"]) for i in range(RANDOM.randint(0, 1))}
    return RANDOM.choice(PRIMITIVES[kind])


def long(number):
    number = (number << 1) ^ (number >> 63)
    out = bytearray()
    while True:
        byte, number = number & 0x7F, number >> 7
        out.append(byte | (0x80 if number else 0))
        if not number:
            return bytes(out)


def block(raw):
    return long(len(raw)) + raw


def random_avro(depth, names):
    kinds = ["boolean", "int", "long", "float", "double", "bytes", "string", "enum", "fixed", "logical", "nullable"]
    kinds += ["record", "array", "map", "union"] * 2 if depth < 3 else []
    kind = RANDOM.choice(kinds)
    names[0] += 1
    name = f"R{names[0]}"
    if kind == "enum":
        schema = {"type": "enum", "name": f"E{names[0]}", "namespace": "r", "symbols": ["A", "B"]}
        if RANDOM.random() < 0.5:
            schema.update(doc="ed", default="B")
        return schema, long(RANDOM.randint(0, 1))
    if kind == "fixed":
        return {"type": "fixed", "name": f"r.F{names[0]}", "size": 2}, b"\x01\xff"
    if kind == "logical":
        return RANDOM.choice([
            ({"type": "int", "logicalType": "date"}, long(5)), ({"type": "int", "logicalType": "time-millis"}, long(77)),
            ({"type": "long", "logicalType": "timestamp-millis"}, long(99)), ({"type": "long", "logicalType": "timestamp-micros"}, long(99)),
            ({"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}, block(b"\x01\x02")),
            ({"type": "bytes", "logicalType": "decimal", "precision": 64}, block(b"\x01\x02")),
            ({"type": "string", "logicalType": "uuid"}, block(b"x")), ({"type": "int", "connect.type": "int16"}, long(-7)),
            ({"type": "fixed", "name": f"r.D{names[0]}", "size": 3, "logicalType": "decimal", "precision": 6, "scale": 1}, b"\xff\xff\x01"),
        ])
    if kind == "nullable":
        inner, raw = random_avro(4, names)
        if isinstance(inner, list):
            return inner, raw
        if RANDOM.random() < 0.5:
            return (["null", inner], long(0)) if RANDOM.random() < 0.4 else (["null", inner], long(1) + raw)
        return [inner, "null"], long(0) + raw
    if kind == "record":
        fields, raw = [], b""
        for i in range(RANDOM.randint(1, 5)):
            inner, part = random_avro(depth + 1, names)
            field = {"name": f"f{i}", "type": inner}
            if inner == "int" and RANDOM.random() < 0.5:
                field["default"] = 3
            if inner == "string" and RANDOM.random() < 0.5:
                field["default"] = "d\u00e9"
            if inner == "double" and RANDOM.random() < 0.5:
                field["default"] = 1.5
            if inner == "bytes" and RANDOM.random() < 0.5:
                field["default"] = "\u00ff"
            if isinstance(inner, list) and inner[0] == "null":
                field["default"] = None
            if RANDOM.random() < 0.2:
                field["doc"] = "fd"
            fields.append(field)
            raw += part
        schema = {"type": "record", "name": name, "namespace": "r", "fields": fields}
        if RANDOM.random() < 0.3:
            schema["doc"] = "rd"
        return schema, raw
    if kind == "array":
        inner, raw = random_avro(depth + 1, names)
        return {"type": "array", "items": inner}, long(2) + raw + raw + b"\x00"
    if kind == "map":
        inner, raw = random_avro(depth + 1, names)
        return {"type": "map", "values": inner}, long(1) + block(b"k") + raw + b"\x00"
    if kind == "union":
        record = {"type": "record", "name": f"r.U{names[0]}", "fields": [{"name": "x", "type": "int"}]}
        members = [("int", long(4)), ("string", block(b"u")), (record, long(6)), ("null", b"")]
        RANDOM.shuffle(members)
        count = RANDOM.randint(3, 4)
        chosen = RANDOM.randrange(count)
        return [member for member, _ in members[:count]], long(chosen) + members[chosen][1]
    raw = {"boolean": b"\x01", "int": long(-3), "long": long(1 << 35), "float": struct.pack("<f", 2.5),
           "double": struct.pack("<d", 0.5), "bytes": block(b"\x00\xfe"), "string": block("\u00e9".encode())}
    return kind, raw[kind]


def avro_hand_made():
    record = lambda *fields, **more: {"type": "record", "name": "n.R", "fields": list(fields), **more}
    field = lambda name, kind, **more: {"name": name, "type": kind, **more}
    yield "null", b"", None
    yield ["null", "int", "int8"], b"", None
    yield ["int"], long(0) + long(5), None
    yield [{"type": "record", "name": "a.X", "fields": []}, {"type": "record", "name": "b.X", "fields": []}], long(0), None
    yield record(field("u", ["int", "string"], default=5), field("n", ["null", "string", "int"], default=None)), long(0) + long(9) + long(0), 4
    yield record(field("e", {"type": "enum", "name": "E", "symbols": ["A", "B"], "doc": "d"}, default="A")), long(1), None
    yield record(field("r", {"type": "record", "name": "I", "fields": [field("x", "int", default=1)]}, default={"x": 7})), long(2), None
    yield record(field("a", {"type": "array", "items": "int"}, default=[1, 2]), field("m", {"type": "map", "values": "long"}, default={"k": 3})), b"\x00\x00", None
    yield record(field("d", {"type": "int", "logicalType": "date"}, default=3), field("t", {"type": "long", "logicalType": "timestamp-millis"}, default=1000)), long(1) + long(2), 2
    yield record(field("b", {"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2}, default="\u0001\u0002")), block(b"\x05"), None
    yield record(field("p", {"type": "int", "connect.parameters": {"a": "b"}, "connect.doc": "cd", "connect.version": 5, "connect.name": "c.N", "avro.q": 3, "other": 1})), long(1), None
    yield record(field("p", {"type": "int", "connect.parameters": {"a": 1}})), long(1), None
    yield record(field("p", {"type": "int", "connect.version": "x"})), long(1), None
    yield {"type": "int", "connect.type": "weird"}, long(1), None
    yield {"type": "int", "logicalType": "date"}, long(1), 7
    yield {"type": "string", "connect.name": "c.N"}, block(b"x"), 7
    yield {"type": "array", "items": {"type": "record", "name": "io.confluent.connect.avro.MapEntry", "fields": [field("key", "int"), field("value", "string")]}}, long(1) + long(3) + block(b"v") + b"\x00", None
    yield {"type": "array", "items": {"type": "record", "name": "z.E", "connect.internal.type": "MapEntry", "fields": [field("value", "int"), field("key", "int")]}}, long(1) + long(3) + long(4) + b"\x00", None
    yield {"type": "array", "items": {"type": "record", "name": "io.confluent.connect.avro.MapEntry", "fields": [field("key", "int")]}}, b"\x00", None
    yield "bytes", b"\x00\x01", None
    yield {"type": "fixed", "name": "n.F", "size": 2}, b"\x00\x01", 3
    yield record(field("x", "int"), doc="rd", aliases=["n.Old"], **{"connect.name": "c.Other"}), long(1), 3
    yield {"type": "record", "name": "io.confluent.connect.avro.ConnectDefault7", "fields": [field("x", "int", doc="xd")]}, long(1), 3
    yield record(field("x", {"type": "record", "name": "S", "fields": [field("y", "int")]}), field("z", "S", **{"connect.parameters": {"q": "1"}})), long(1) + long(2), None
    yield record(field("x", [{"type": "int", "connect.default": 42}, "null"], default=42), field("y", {"type": "string", "connect.default": "cd"}, default="fd")), long(1) + block(b""), None
    yield record(field("i", "int", default="wrong")), long(1), None


def main():
    for test in hand_made():
        print(json.dumps(test))
    for number in range(300):
        schema = random_schema(0, [0])
        print(json.dumps(case(schema, random_value(schema), CONFIGS[number % len(CONFIGS)] if number % 3 == 0 else {})))
    for (schema, raw, version), config in itertools.product(avro_hand_made(), CONFIGS):
        test = {"config": config, "avro": json.dumps(schema), "hex": raw.hex()}
        print(json.dumps(test if version is None else {**test, "version": version}))
    for number in range(400):
        schema, raw = random_avro(0, [0])
        print(json.dumps({"config": CONFIGS[number % len(CONFIGS)] if number % 3 == 0 else {}, "avro": json.dumps(schema), "hex": raw.hex(), "version": number % 4 + 1}))


def print_cases(cases):
    """Prints those without configuration, and of the others a choice, or all with the argument `all`."""
    choice = random.Random(1)
    for test in cases:
        if choice.random() < 0.12 or not test["config"] or "all" in sys.argv[1:]:
            print(json.dumps(test))


sys.setrecursionlimit(10000)
if __name__ == "__main__":
    main()
