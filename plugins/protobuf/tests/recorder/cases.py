"""Makes the cases of ProtobufConverter: hand-made ones for each rule, and random ones.

With the argument `all` every case comes under every configuration, to look around; what is recorded is a choice of those. Who answers
them stands in plugins/avro/tests/recorder/README.md.
"""

import importlib.util
import itertools
import json
import pathlib
import random
import struct

AVRO = pathlib.Path(__file__).parents[3] / "avro/tests/recorder/cases.py"
SPEC = importlib.util.spec_from_file_location("connect_cases", AVRO)
connect = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(connect)
opt, st, case = connect.opt, connect.st, connect.case

RANDOM = random.Random(20261122)
# The module draws from its own; the cases must not depend on how often.
connect.RANDOM = RANDOM
NAMESPACE = "io.confluent.connect.protobuf"
TAG, TYPE, ENUM, UNION, WRAPPER = (f"{NAMESPACE}.{word}" for word in ("Tag", "Type", "Enum", "Union", "Wrapper"))
GENERAL_ENUM, GENERAL_UNION = "org.apache.kafka.connect.data.Enum", "org.apache.kafka.connect.data.Union"


def on(*keys):
    return {key: "true" for key in keys}


def off(*keys):
    return {key: "false" for key in keys}


CONFIGS = [
    {}, on("enhanced.protobuf.schema.support"), on("scrub.invalid.names"), on("int.for.enums"), on("optional.for.nullables"),
    off("optional.for.proto2"), on("wrapper.for.nullables"), off("wrapper.for.raw.primitives"), on("generate.struct.for.nulls"),
    off("generate.index.for.unions"), on("flatten.unions"), on("generalized.sum.type.support"), on("ignore.default.for.nullables"),
    on("optional.for.nullables", "wrapper.for.nullables"), on("enhanced.protobuf.schema.support", "generalized.sum.type.support"),
    {**on("flatten.unions", "wrapper.for.nullables"), **off("generate.index.for.unions")},
    on("optional.for.nullables", "generate.struct.for.nulls", "ignore.default.for.nullables"),
    {**on("enhanced.protobuf.schema.support", "int.for.enums"), **off("generate.index.for.unions")},
]


def parameters(schema, **words):
    named = {"tag": TAG, "type": TYPE, "wrapper": WRAPPER}
    return {**schema, "parameters": {**schema.get("parameters", {}), **{named[word]: str(value) for word, value in words.items()}}}


def enum(key, name, **symbols):
    return {key: name, **{f"{key}.{symbol}": str(number) for symbol, number in symbols.items()}}


def hand_made():
    for kind, values in connect.PRIMITIVES.items():
        base = {"type": kind}
        for value in values:
            yield case(base, value)
            yield case(opt(base), value)
            yield case(opt(base, default=values[0]), value)
            yield case({**base, "default": values[0]}, value)
            yield case({**base, "name": "a.b.Named", "doc": "d", "version": 3, "parameters": {"k": "v"}}, value)
            yield case(st(("f", base), ("o", opt(base)), ("d", opt(base, default=values[0])), ("r", {**base, "default": value}), name="n.S"),
                       {"f": value, "o": None, "d": None, "r": value})
        yield case(opt(base), None)
        yield case(base, None)
        yield case(opt(base, default=values[-1]), None)
        lists = st(("a", {"type": "array", "items": base}), ("o", opt({"type": "array", "items": base})),
                   ("e", {"type": "array", "items": base}), name="n.L")
        yield case(lists, {"a": values, "o": None, "e": []})
        maps = st(("s", {"type": "map", "keys": {"type": "string"}, "values": base}),
                  ("o", opt({"type": "map", "keys": {"type": "string"}, "values": base})),
                  ("k", {"type": "map", "keys": {"type": "int32"}, "values": base}), name="n.M")
        yield case(maps, {"s": {"k": values[0]}, "o": None, "k": [[7, values[-1]]]})
        yield case(st(("m", {"type": "map", "keys": base, "values": {"type": "string"}}), name="n.K"), {"m": [[values[0], "v"]]})
        yield case(st(("a", {"type": "array", "items": opt(base)}), name="n.L"), {"a": values})
        yield case(st(("a", {"type": "array", "items": opt(base)}), name="n.L"), {"a": [values[0], None]})
        yield case({"type": "array", "items": base}, values)
        yield case({"type": "map", "keys": {"type": "string"}, "values": base}, {"k": values[0]})
        nullable = st(("f", base), ("o", opt(base)), ("d", opt(base, default=values[0])), ("s", opt(base)), name="n.Nullable")
        for config in CONFIGS:
            yield case(nullable, {"f": values[0], "o": None, "d": None, "s": values[0]}, config)
            yield case(opt(base), values[0], config)
        union = st(("a", opt(parameters(base, tag=1))), ("b", opt(parameters({"type": "string"}, tag=2))), name=f"{UNION}.pick")
        yield case(st(("pick_0", opt(union)), name="n.U"), {"pick_0": {"a": values[0], "b": None}})
        for config in (on("wrapper.for.nullables"), on("optional.for.nullables")):
            yield case(st(("pick_0", opt(union)), name="n.U"), {"pick_0": {"a": values[0], "b": None}}, config)
            wrapped = st(("a", opt(parameters(base, wrapper="true", tag=1))), ("b", opt(parameters({"type": "string"}, tag=2))), name=f"{UNION}.pick")
            yield case(st(("pick_0", opt(wrapped)), name="n.U"), {"pick_0": {"a": values[0], "b": None}}, config)
    for word in ("int32", "uint32", "sint32", "fixed32", "sfixed32", "int64", "uint64", "sint64", "fixed64", "sfixed64", "other"):
        for kind in ("int32", "int64", "string"):
            for value in ((1, -1) if kind != "string" else ("x",)):
                yield case(st(("f", parameters({"type": kind}, type=word)), ("o", opt(parameters({"type": kind}, type=word))), name="n.T"),
                           {"f": value, "o": value})
    for schema, value in connect.LOGICAL:
        for config in CONFIGS:
            yield case(st(("l", schema), ("o", opt(schema)), ("d", {**schema, "default": value}), ("s", opt(schema))),
                       {"l": value, "o": None, "d": value, "s": value}, config)
        yield case(schema, value)
        yield case(opt(schema), value)
        yield case(st(("a", {"type": "array", "items": schema}), ("m", {"type": "map", "keys": {"type": "string"}, "values": schema}), name="n.L"),
                   {"a": [value, value], "m": {"k": value}})
    for millis in (-1, -86400000, 0, 999, 253402300799999, -62135596800000):
        yield case(st(("t", {"type": "int64", "name": "org.apache.kafka.connect.data.Timestamp", "version": 1}), name="n.Ts"), {"t": millis})
    for days in (-1, 0, 11016, -719162, 2932896):
        yield case(st(("d", {"type": "int32", "name": "org.apache.kafka.connect.data.Date", "version": 1}), name="n.Da"), {"d": days})
    for millis in (0, 86399999):
        yield case(st(("t", {"type": "int32", "name": "org.apache.kafka.connect.data.Time", "version": 1}), name="n.Ti"), {"t": millis})
    inner = st(("x", {"type": "int32"}), name="n.Inner")
    unnamed = st(("x", {"type": "int32"}))
    for config in CONFIGS:
        yield case(st(("a", inner), ("b", inner), ("c", opt(inner)), name="n.Outer"), {"a": {"x": 1}, "b": {"x": 2}, "c": None}, config)
        yield case(st(("a", unnamed), ("b", st(("y", {"type": "string"}))), ("c", opt(unnamed))),
                   {"a": {"x": 1}, "b": {"y": ""}, "c": {"x": 3}}, config)
        for kind, payloads in (("string", ("A", "B", "Z", None)), ("int32", (0, 5, None))):
            for key in (ENUM, GENERAL_ENUM):
                for name in ("E", None):
                    held = {"type": kind, "parameters": enum(key, "E", A=0, B=5), **({"name": name} if name else {})}
                    for payload in payloads:
                        yield case(st(("e", opt(held)), ("s", {"type": "string"}), name="n.WithEnum"), {"e": payload, "s": "s"}, config)
        many = {"type": "string", "name": "n.E", "parameters": enum(ENUM, "E", A=0, B=5)}
        yield case(st(("a", {"type": "array", "items": many}), ("m", {"type": "map", "keys": {"type": "string"}, "values": many}), name="n.Enums"),
                   {"a": ["A", "B", "A"], "m": {"k": "B"}}, config)
        yield case(st(("a", {**many, "name": "E"}), ("b", {**many, "name": "E"}), name="n.Twice"), {"a": "A", "b": "B"}, config)
        members = (("int", opt({"type": "int32"})), ("text", opt({"type": "string"})), ("inner", opt(inner)), ("yes", opt({"type": "boolean"})))
        members = [(name, parameters(member, tag=number + 5)) for number, (name, member) in enumerate(members)]
        for union in (st(*members, name=f"{UNION}.pick"), st(*members, name="n.Pick", parameters={GENERAL_UNION: "pick"}),
                      st(*members, name=UNION)):
            for field in ("pick", "pick_0"):
                for payload in ({"int": 1}, {"text": ""}, {"inner": {"x": 5}}, {"yes": False}, {}, None):
                    whole = payload and {"int": None, "text": None, "inner": None, "yes": None, **payload}
                    yield case(st((field, opt(union)), ("after", {"type": "string"}), name="n.WithUnion"), {field: whole, "after": "z"}, config)
        yield case(st(("b", parameters({"type": "int32"}, tag=5)), ("a", parameters({"type": "string"}, tag=2)), ("c", {"type": "boolean"}), name="n.Tags"),
                   {"b": 1, "a": "x", "c": True}, config)
        docs = st(("f", {"type": "int32", "doc": "own", "version": 2}), name="n.Docs", doc="sd", version=4, parameters={"k": "v"})
        yield case(docs, {"f": 1}, config)
        for name in ("x-y.1z", "1z", "a.b", "$x", "x y.z", "n.Ünicode"):
            yield case(st(("a-b", {"type": "int32"}), ("1c", {"type": "int32"}), ("$d", opt({"type": "string"})), name=name),
                       {"a-b": 1, "1c": 2, "$d": "x"}, config)
        yield case(st(("m", {"type": "map", "keys": {"type": "string"}, "values": inner}), ("a", {"type": "array", "items": inner}), name="n.Many"),
                   {"m": {"k": {"x": 2}}, "a": [{"x": 1}, {"x": 0}]}, config)
        yield case(st(("my_map", {"type": "map", "keys": {"type": "string"}, "values": unnamed}), name="n.Entries"), {"my_map": {"k": {"x": 2}}}, config)
        yield case(st(("n", opt(inner)), ("l", opt({"type": "array", "items": opt(inner)})), name="n.Nulls"), {"n": None, "l": None}, config)
        yield case(opt(inner), {"x": 1}, config)
        yield case(opt(inner), None, config)
    yield case(st(("a", {"type": "array", "items": {"type": "array", "items": {"type": "int32"}}}), name="n.Deep"), {"a": [[1], [2, 3]]})
    yield case(st(("a", {"type": "array", "items": {"type": "map", "keys": {"type": "string"}, "values": {"type": "int32"}}}), name="n.Deep"), {"a": [{"k": 1}]})
    yield case(st(("m", {"type": "map", "keys": {"type": "string"}, "values": {"type": "array", "items": {"type": "int32"}}}), name="n.Deep"), {"m": {"k": [1]}})
    yield case(st(("m", {"type": "map", "keys": {"type": "string"}, "values": {"type": "map", "keys": {"type": "string"}, "values": {"type": "int32"}}}), name="n.Deep"),
               {"m": {"k": {"l": 1}}})
    yield case(st(("m", {"type": "map", "keys": inner, "values": {"type": "int32"}}), name="n.Deep"), {"m": [[{"x": 1}, 1]]})
    untagged = st(("a", opt({"type": "int32"})), ("b", opt({"type": "string"})), name=f"{UNION}.pick")
    yield case(st(("pick_0", opt(untagged)), name="n.Untagged"), {"pick_0": {"a": 1, "b": None}})
    for numbers in ((1, 1), (0, 2), (19000, 1), (536870912, 1), (-1, 1), (7, 3)):
        fields = [(f"f{n}", parameters({"type": "int32"}, tag=number)) for n, number in enumerate(numbers)]
        yield case(st(*fields, ("last", {"type": "string"}), name="n.Numbers"), {"f0": 5, "f1": 6, "last": "x"})
    yield case(st(name="n.Empty"), {})
    yield case(st(("e", st(name="n.Empty")), name="n.HasEmpty"), {"e": {}})
    yield case(st(("message", {"type": "int32"}), ("Message", {"type": "int32"}), ("import", {"type": "int32"}), name="message"), {"message": 1, "Message": 2, "import": 3})
    for value in (None, True, 5, "s"):
        yield {"config": {}, "envelope": {"schema": None, "payload": value}}


# Reading: a text of Protobuf's language, and bytes of its wire format.

def varint(number):
    number &= (1 << 64) - 1
    out = bytearray()
    while True:
        byte, number = number & 0x7F, number >> 7
        out.append(byte | (0x80 if number else 0))
        if not number:
            return bytes(out)


def zigzag(number):
    return varint((number << 1) ^ (number >> 63))


def at(number, kind, value):
    """A field on the wire; the kind is a word of the language, or `message` for bytes that are one."""
    if kind in ("int32", "int64", "uint32", "uint64", "bool", "enum"):
        return varint(number << 3) + varint(int(value))
    if kind in ("sint32", "sint64"):
        return varint(number << 3) + zigzag(value)
    fixed = {"double": "<d", "float": "<f", "fixed32": "<I", "sfixed32": "<i", "fixed64": "<Q", "sfixed64": "<q"}
    if kind in fixed:
        raw = struct.pack(fixed[kind], value)
        return varint(number << 3 | (1 if len(raw) == 8 else 5)) + raw
    raw = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(raw)) + raw


SCALARS = {
    "double": 0.1, "float": 1.5, "int32": -7, "int64": -(1 << 40), "uint32": 4294967295, "uint64": (1 << 64) - 1, "sint32": -3, "sint64": -(1 << 50),
    "fixed32": 4000000000, "fixed64": (1 << 63) + 1, "sfixed32": -9, "sfixed64": -10, "bool": True, "string": "gr\u00fc\u00dfe", "bytes": b"\x00\xff",
}
FIRST = b"\x00"


def read(text, payload, index=FIRST, uses=(), syntax="proto3", package="package t; "):
    test = {"schema": f'syntax = "{syntax}"; {package}{text}', "payload": (index + payload).hex()}
    if uses:
        test["uses"] = [{"name": name, "schema": part} for name, part in uses]
    return test


def proto_hand_made():
    for kind, value in SCALARS.items():
        for number in (1, 15, 16, 536870911):
            yield read(f"message M {{ {kind} f = {number}; }}", at(number, kind, value))
        label = f"message M {{ {kind} plain = 1; optional {kind} maybe = 2; repeated {kind} many = 3; oneof pick {{ {kind} one = 4; bool other = 5; }} }}"
        yield read(label, b"")
        yield read(label, b"".join(at(n, kind, value) for n in (1, 2, 3, 3, 4)))
        zero = "" if kind == "string" else b"" if kind == "bytes" else 0
        yield read(label, b"".join(at(n, kind, zero) for n in (1, 2, 3, 4)))
        if kind not in ("string", "bytes"):
            packed = b"".join(at(1, kind, value)[1:] for _ in range(2))
            yield read(f"message M {{ repeated {kind} many = 3; }}", at(3, "bytes", packed) + at(3, kind, value))
        if kind not in ("double", "float", "bytes"):
            yield read(f"message M {{ map<{kind}, string> m = 1; }}", at(1, "message", at(1, kind, value) + at(2, "string", "v")))
        yield read(f"message M {{ map<string, {kind}> m = 1; }}", at(1, "message", at(1, "string", "k") + at(2, kind, value)) + at(1, "message", at(1, "string", "e")))
        old = f"message M {{ required {kind} must = 1; optional {kind} may = 2; repeated {kind} many = 3; }}"
        yield read(old, at(1, kind, value), syntax="proto2")
        yield read(old, at(1, kind, value) + at(2, kind, zero) + at(3, kind, value), syntax="proto2")
        name = {"double": "Double", "float": "Float", "int32": "Int32", "int64": "Int64", "uint32": "UInt32", "uint64": "UInt64", "bool": "Bool",
                "string": "String", "bytes": "Bytes"}.get(kind)
        if name:
            wraps = f'import "google/protobuf/wrappers.proto"; message M {{ google.protobuf.{name}Value w = 1; repeated google.protobuf.{name}Value many = 2; ' \
                    f'oneof pick {{ google.protobuf.{name}Value one = 3; {kind} bare = 4; }} }}'
            yield read(wraps, at(1, "message", at(1, kind, value)) + at(2, "message", b"") + at(3, "message", at(1, kind, value)))
            yield read(wraps, at(1, "message", b"") + at(4, kind, value))
            yield read(wraps, b"")
            alone = f"message {name}Value {{ {kind} value = 1; }}"
            for payload in (b"", at(1, kind, value)):
                yield read(alone, payload, package="package google.protobuf; ")
    defaults = 'message M { optional int32 i = 1 [default = 5]; optional string s = 2 [default = "a\\"b"]; optional bool b = 3 [default = true]; ' \
               'optional E e = 4 [default = B]; optional double d = 5 [default = -1.5]; optional bytes r = 6 [default = "x\\001"]; ' \
               'optional uint64 u = 7 [default = 18446744073709551615]; optional float n = 8 [default = 2.5]; enum E { A = 0; B = 1; } }'
    yield read(defaults, b"", syntax="proto2")
    yield read(defaults, at(1, "int32", 0) + at(2, "string", "") + at(3, "bool", 0) + at(4, "enum", 0), syntax="proto2")
    yield read("message M { required group G = 1 { optional int32 x = 2; } }", b"\x0b" + at(2, "int32", 5) + b"\x0c", syntax="proto2")
    enums = "message M { E e = 1; repeated E es = 2; map<string, E> m = 3; oneof pick { E one = 4; Top two = 5; } optional E may = 6; Top top = 7; " \
            "enum E { option allow_alias = true; A = 0; B = 5; C = 5; D = -1; } } enum Top { ZERO = 0; ONE = 1; }"
    yield read(enums, b"")
    yield read(enums, at(1, "enum", 5) + at(2, "enum", 0) + at(2, "enum", -1) + at(3, "message", at(1, "string", "k") + at(2, "enum", 5)) + at(4, "enum", 0) + at(6, "enum", 0) + at(7, "enum", 1))
    yield read(enums, at(1, "enum", 99) + at(2, "enum", 77) + at(5, "enum", 1))
    yield read("message M { optional E e = 1; repeated E es = 2; enum E { A = 1; B = 2; } }", at(1, "enum", 99) + at(2, "enum", 2), syntax="proto2")
    nested = "message M { message In { int32 x = 1; message Deep { string y = 1; } Deep deep = 2; } In in = 1; repeated In ins = 2; map<int32, In> byKey = 3; " \
             "In.Deep deep = 4; oneof pick { In a = 5; In.Deep b = 6; } In absent = 9; } message Other { M m = 1; }"
    deep = at(1, "string", "y")
    filled = at(1, "message", at(1, "int32", 1) + at(2, "message", deep)) + at(2, "message", b"") + at(3, "message", at(1, "int32", 7) + at(2, "message", b"")) + \
        at(4, "message", deep) + at(6, "message", deep)
    yield read(nested, filled)
    yield read(nested, b"")
    yield read(nested, at(1, "message", at(1, "int32", 3)) + at(1, "message", at(2, "message", deep)))
    yield read(nested, at(1, "int32", 3), index=zigzag(2) + zigzag(0) + zigzag(0))
    yield read(nested, deep, index=zigzag(3) + zigzag(0) + zigzag(0) + zigzag(0))
    yield read(nested, at(1, "message", filled), index=zigzag(1) + zigzag(1))
    yield read(nested, filled, index=zigzag(1) + zigzag(0))
    yield read(nested, filled, index=zigzag(1) + zigzag(7))
    unions = "message M { string before = 1; oneof first { int32 number = 2; string text = 3; } oneof second { bool yes = 4; bytes raw = 5; Part part = 6; } string after = 7; } message Part { int64 x = 1; }"
    for payload in (b"", at(2, "int32", 0), at(3, "string", "t") + at(2, "int32", 4), at(5, "bytes", b"r") + at(7, "string", "z"),
                    at(6, "message", b""), at(4, "bool", 1) + at(1, "string", "b") + at(2, "int32", 2)):
        yield read(unions, payload)
    yield read("message M { oneof Camel_Case { int32 a_b = 1; } oneof camelCase { int32 aB = 2; } int32 snake_case = 3; int32 snakeCase4 = 4; }", at(1, "int32", 1) + at(2, "int32", 2) + at(3, "int32", 3))
    known = 'import "google/protobuf/timestamp.proto"; import "google/type/date.proto"; import "google/type/timeofday.proto"; import "confluent/type/decimal.proto"; ' \
            'import "confluent/meta.proto"; message M { google.protobuf.Timestamp at = 1; google.type.Date on = 2; google.type.TimeOfDay time = 3; ' \
            'confluent.type.Decimal price = 4 [(confluent.field_meta) = { params: [{ key: "precision", value: "9" }, { key: "scale", value: "2" }] }]; ' \
            'repeated google.protobuf.Timestamp all = 5; map<string, google.type.Date> days = 6; oneof pick { google.type.TimeOfDay tea = 7; confluent.type.Decimal sum = 8; } confluent.type.Decimal bare = 9; }'
    stamp = at(1, "int64", 1483425001) + at(2, "int32", 864999999)
    day = at(1, "int32", 1997) + at(2, "int32", 5) + at(3, "int32", 19)
    time = at(1, "int32", 1) + at(2, "int32", 2) + at(3, "int32", 3) + at(4, "int32", 123456789)
    price = at(1, "bytes", b"\xff\x64") + at(2, "uint32", 3) + at(3, "int32", 2)
    yield read(known, b"")
    yield read(known, at(1, "message", stamp) + at(2, "message", day) + at(3, "message", time) + at(4, "message", price) + at(5, "message", b"") + at(6, "message", at(1, "string", "k") + at(2, "message", day)) + at(7, "message", time))
    yield read(known, at(1, "message", at(1, "int64", -1) + at(2, "int32", 1000000)) + at(3, "message", b"") + at(8, "message", price) + at(9, "message", price))
    yield read(known, at(2, "message", b""))
    yield read(known, at(2, "message", at(1, "int32", 2023) + at(2, "int32", 2) + at(3, "int32", 30)))
    yield read(known, at(3, "message", at(1, "int32", 24)))
    yield read(known, at(1, "message", at(1, "int64", 1 << 60)))
    yield read(known, at(9, "message", b""))
    meta = 'import "confluent/meta.proto"; message M { option (confluent.message_meta) = { doc: "md", params: [{ key: "k", value: "v" }] }; ' \
           'int32 a = 1 [(confluent.field_meta) = { doc: "fd", params: [{ key: "connect.type", value: "int8" }, { key: "x", value: "y" }] }]; ' \
           'int32 b = 2 [(confluent.field_meta) = { params: [{ key: "connect.type", value: "int16" }] }]; enum E { option (confluent.enum_meta) = { doc: "ed" }; Z = 0; } E e = 3; }'
    yield read(meta, at(1, "int32", 5) + at(2, "int32", 300))
    yield read(meta, at(1, "int32", 300))
    others = 'import "google/protobuf/struct.proto"; import "google/protobuf/duration.proto"; import "google/protobuf/empty.proto"; message M { google.protobuf.Duration d = 2; google.protobuf.Empty e = 3; google.protobuf.FieldMask never = 4; }'
    yield read(others.replace(" google.protobuf.FieldMask never = 4;", ""), at(2, "message", at(1, "int64", 5) + at(2, "int32", 6)) + at(3, "message", b""))
    shared = ("shared/part.proto", 'syntax = "proto3"; package shared; message Part { string x = 1; Inner inner = 2; message Inner { int32 y = 1; } } enum Tone { LOW = 0; HIGH = 1; }')
    yield read('import "shared/part.proto"; message M { shared.Part part = 1; repeated shared.Part.Inner inner = 2; shared.Tone tone = 3; }',
               at(1, "message", at(1, "string", "a") + at(2, "message", at(1, "int32", 1))) + at(2, "message", b"") + at(3, "enum", 1), uses=[shared])
    through = ("through.proto", 'syntax = "proto3"; package shared; import public "shared/part.proto"; message Mid { Part part = 1; }')
    yield read('import "through.proto"; message M { shared.Mid mid = 1; shared.Part part = 2; }',
               at(1, "message", at(1, "message", at(1, "string", "a"))), uses=[shared, through])
    yield read("message M { int32 x = 1; }", at(1, "int32", 1) + at(99, "string", "unknown"), package="")
    yield read("message M { int32 x = 1; }", at(1, "int32", 1), package="package a.b.c; option java_package = \"x.y\"; ")
    yield read("message M { int32 x = 1; reserved 5, 7 to 9; reserved \"foo\"; }", at(1, "int64", 1 << 40))
    yield read("message M { string s = 1; }", at(1, "bytes", b"\xff\xfe"))
    yield read("message M { string s = 1; }", b"\x0a\x05ab")
    yield read("message M { string s = 1; }", at(1, "int32", 5))
    yield read("message M { }", b"")
    yield read("message M { string s = 1 [json_name = \"other\"]; int32 t = 2 [deprecated = true]; }", at(1, "string", "s"))


def random_message(depth, names):
    """Text of a message's body, and bytes of one."""
    body, raw, number = [], b"", 0
    for i in range(RANDOM.randint(1, 5)):
        number += RANDOM.randint(1, 3)
        kind = RANDOM.choice(list(SCALARS) + ["enum", "oneof", "map"] + (["message"] * 4 if depth < 3 else []))
        names[0] += 1
        unique = names[0]
        if kind == "oneof":
            members = RANDOM.sample(list(SCALARS), 2)
            body.append(f"oneof o{unique} {{ {members[0]} a{unique} = {number}; {members[1]} b{unique} = {number + 1}; }}")
            chosen = RANDOM.randint(0, 2)
            if chosen < 2:
                raw += at(number + chosen, members[chosen], SCALARS[members[chosen]])
            number += 1
            continue
        label = RANDOM.choice(["", "", "optional ", "repeated "])
        if kind == "enum":
            body.append(f"enum E{unique} {{ N{unique} = 0; P{unique} = 3; }} {label}E{unique} f{unique} = {number};")
            value = RANDOM.choice([0, 3])
        elif kind == "message":
            text, value = random_message(depth + 1, names)
            body.append(f"message M{unique} {{ {text} }} {label}M{unique} f{unique} = {number};")
        elif kind == "map":
            held = RANDOM.choice(list(SCALARS))
            body.append(f"map<string, {held}> f{unique} = {number};")
            raw += at(number, "message", at(1, "string", "k") + at(2, held, SCALARS[held])) * RANDOM.randint(0, 1)
            continue
        else:
            body.append(f"{label}{kind} f{unique} = {number};")
            value = SCALARS[kind]
        if RANDOM.random() < 0.8:
            raw += at(number, kind, value) * (2 if label == "repeated " and RANDOM.random() < 0.5 else 1)
    return " ".join(body), raw


def random_struct():
    schema = st(*[(f"f{i}", connect.random_schema(1, [RANDOM.randint(1, 9) * 100 + i * 10])) for i in range(RANDOM.randint(1, 6))])
    if RANDOM.random() < 0.8:
        schema["name"] = "r.Root"
    return schema


def cases():
    yield from hand_made()
    for number in range(300):
        schema = random_struct()
        yield case(schema, connect.random_value(schema), CONFIGS[number % len(CONFIGS)])
    for test, config in itertools.product(list(proto_hand_made()), CONFIGS):
        yield {"config": config, **test}
    for number in range(300):
        text, raw = random_message(0, [0])
        yield {"config": CONFIGS[number % len(CONFIGS)], **read(f"message M {{ {text} }}", raw)}


def registered():
    """What is registered under other keys: well-known files beside the schema, and a schema in another form."""
    def known(**more):
        return {"skip.known.types": "false", **more}
    qualified = {"reference.subject.name.strategy": "io.confluent.kafka.serializers.subject.QualifiedReferenceSubjectNameStrategy"}
    inner = st(("x", {"type": "int32"}), name="n.Inner")
    shapes = []
    for schema, value in connect.LOGICAL:
        for name in ("n.S", "S"):
            shapes.append((st(("l", schema), ("a", {"type": "array", "items": schema}), name=name), {"l": value, "a": [value]}))
    every = {schema["name"]: (schema, value) for schema, value in connect.LOGICAL}
    fields = [(f"f{number}", pair) for number, pair in enumerate(every.values())]
    for order in (fields, fields[::-1]):
        shapes.append((st(*((name, schema) for name, (schema, _) in order), ("i", inner), name="n.All"),
                       {**{name: value for name, (_, value) in order}, "i": {"x": 1}}))
    for schema, payload in shapes:
        yield case(schema, payload, known())
        yield case(schema, payload, known(**qualified))
        yield case(schema, payload, known(**{"schema.format": "serialized"}))
    scalars = st(*((kind, opt({"type": kind})) for kind in connect.PRIMITIVES), name="n.Nullable")
    values = {kind: values[0] for kind, values in connect.PRIMITIVES.items()}
    for config in (known(), known(**qualified), {"schema.format": "serialized"}):
        yield case(scalars, values, {**config, "wrapper.for.nullables": "true"})
        yield case({"type": "int64"}, 7, config)
    yield case(st(("x", {"type": "int32"}), name="n.None"), {"x": 1}, known())
    # They are not there to be looked up.
    yield case(*shapes[0], known(**{"reference.lookup.only": "true"}))
    for word in ("serialized", "SERIALIZED", "default", "ignore_extensions", "resolved", " ", "other"):
        for schema, payload in shapes[:4] + [({"type": "string"}, "x"), (scalars, values)]:
            yield case(schema, payload, {"schema.format": word})
    union = st(("a", opt(parameters({"type": "int32"}, tag=27))), ("b", opt(parameters(inner, tag=29))), name=f"{UNION}.pick")
    held = {"type": "string", "name": "n.E", "parameters": enum(ENUM, "E", A=0, B=5)}
    mixed = st(("pick_0", opt(union)), ("e", held), ("m", {"type": "map", "keys": {"type": "string"}, "values": inner}),
               ("s", opt({"type": "int16"})), ("u", opt({"type": "int8"})), ("l", {"type": "array", "items": {"type": "int8"}}),
               ("t", opt(inner)), ("q", parameters({"type": "int32"}, type="sfixed32")), name="n.Mixed")
    payload = {"pick_0": {"a": 1, "b": None}, "e": "B", "m": {"k": {"x": 2}}, "s": 3, "u": None, "l": [1], "t": {"x": 4}, "q": 5}
    for config in ({}, on("optional.for.nullables"), on("wrapper.for.nullables")):
        yield case(mixed, payload, {**config, "schema.format": "serialized"})
    for number in range(40):
        schema = random_struct()
        yield case(schema, connect.random_value(schema), {**CONFIGS[number % len(CONFIGS)], "schema.format": "serialized"})


connect.print_cases(cases())
for test in registered():
    print(json.dumps(test))
