"""Makes the cases of JsonSchemaConverter: hand-made ones for each rule, and random ones.

With the argument `all` every case comes under every configuration, to look around; what is recorded is a choice of those. Who answers
them stands in plugins/avro/tests/recorder/README.md.
"""

import importlib.util
import itertools
import json
import pathlib
import random

AVRO = pathlib.Path(__file__).parents[3] / "avro/tests/recorder/cases.py"
SPEC = importlib.util.spec_from_file_location("connect_cases", AVRO)
connect = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(connect)
opt, st, case = connect.opt, connect.st, connect.case

RANDOM = random.Random(20261122)
# The module draws from its own; the cases must not depend on how often.
connect.RANDOM = RANDOM
NAMESPACE = "io.confluent.connect.json"
ENUM, ONE_OF = f"{NAMESPACE}.Enum", f"{NAMESPACE}.OneOf"
GENERAL_ENUM, GENERAL_UNION = "org.apache.kafka.connect.data.Enum", "org.apache.kafka.connect.data.Union"
MAP = lambda values, keys={"type": "string"}, **more: {"type": "map", "keys": keys, "values": values, **more}
ARRAY = lambda items, **more: {"type": "array", "items": items, **more}


def on(*keys):
    return {key: "true" for key in keys}


def off(*keys):
    return {key: "false" for key in keys}


CONFIGS = [
    {}, off("object.additional.properties"), on("use.optional.for.nonrequired"), on("ignore.modern.dialects"), {"decimal.format": "NUMERIC"},
    off("flatten.singleton.unions"), on("preserve.additional.properties"), on("generalized.sum.type.support"), on("ignore.default.for.nullables"),
    on("json.fail.invalid.schema"), on("json.indent.output"),
    {**off("object.additional.properties"), **on("use.optional.for.nonrequired", "generalized.sum.type.support")},
    {**on("preserve.additional.properties", "use.optional.for.nonrequired"), "decimal.format": "numeric"},
    {**off("flatten.singleton.unions"), **on("generalized.sum.type.support", "ignore.default.for.nullables")},
]


def hand_made():
    for kind, values in connect.PRIMITIVES.items():
        base = {"type": kind}
        for value in values:
            yield case(base, value)
            yield case(opt(base), value)
            yield case(opt(base, default=values[0]), value)
            yield case({**base, "default": values[0]}, value)
            yield case({**base, "name": "a.b.Named", "doc": "d", "version": 3, "parameters": {"k": "v", "other": "w"}}, value)
            yield case(st(("f", base), ("o", opt(base)), ("d", opt(base, default=values[0])), ("r", {**base, "default": value}), name="n.S"),
                       {"f": value, "o": None, "d": None, "r": value})
        yield case(opt(base), None)
        yield case(base, None)
        yield case(opt(base, default=values[-1]), None)
        yield case(ARRAY(base), values)
        yield case(ARRAY(base, default=values), [])
        yield case(ARRAY(opt(base)), values + [None])
        yield case(opt(ARRAY(base)), None)
        yield case(MAP(base), {"k": values[0]})
        yield case(MAP(base, default={"d": values[0]}), {"k": values[0]})
        yield case(MAP(opt(base)), {"k": None, "l": values[0]})
        yield case(MAP(opt(base), keys={"type": "string", "optional": True}), [["k", values[0]]])
        yield case(MAP(opt(base), keys=base), [[values[-1], values[0]]])
        mixed = st(("f", base), ("o", opt(base)), ("d", opt(base, default=values[0])), ("s", opt(base)), ("r", {**base, "default": values[-1]}), name="n.Mixed")
        for config in CONFIGS:
            yield case(mixed, {"f": values[0], "o": None, "d": None, "s": values[0], "r": values[0]}, config)
            yield case(opt(base, default=values[0]), None, config)
        one_of = st((f"{ONE_OF}.field.0", opt(base)), (f"{ONE_OF}.field.1", opt(ARRAY(base))), name=ONE_OF)
        yield case(one_of, {f"{ONE_OF}.field.0": values[0], f"{ONE_OF}.field.1": None})
        yield case(one_of, {f"{ONE_OF}.field.0": None, f"{ONE_OF}.field.1": values})
    for schema, value in connect.LOGICAL:
        for config in CONFIGS:
            yield case(st(("l", schema), ("o", opt(schema)), ("d", {**schema, "default": value}), ("s", opt(schema))),
                       {"l": value, "o": None, "d": value, "s": value}, config)
            yield case(schema, value, config)
        yield case(opt(schema), value)
        yield case(opt(schema), None)
        yield case(ARRAY(schema), [value])
        yield case(MAP(schema), {"k": value})
        yield case(MAP(schema, keys=schema), [[value, value]])
    decimal = lambda scale: {"type": "bytes", "name": connect.DECIMAL, "version": 1, "parameters": {"scale": str(scale)}}
    for scale, raw in itertools.product((0, 1, 3, 20, -3), ("AA==", "/w==", "ASNFZ4mrze8=", "gAAAAAAAAAA=")):
        yield case(decimal(scale), raw, {"decimal.format": "NUMERIC"})
    # Texts that every version of Java writes alike.
    for value in (0.0, 1e-7, 1e21, 123456789.125, 1.7976931348623157e308):
        yield case({"type": "double"}, value)
    for value in (0.0, 0.25, 1e10, 0.001, 1e-5):
        yield case({"type": "float"}, value)
    inner = st(("x", {"type": "int32"}), name="n.Inner")
    unnamed = st(("x", {"type": "int32"}))
    for config in CONFIGS:
        yield case(st(("a", inner), ("b", inner), ("c", opt(inner)), name="n.Outer"), {"a": {"x": 1}, "b": {"x": 2}, "c": None}, config)
        yield case(st(("a", unnamed), ("b", st(("y", {"type": "string"}))), ("c", opt(unnamed))),
                   {"a": {"x": 1}, "b": {"y": ""}, "c": {"x": 3}}, config)
        for key in (ENUM, GENERAL_ENUM):
            for marker in ("", "n.E"):
                symbols = {key: marker, f"{key}.A": "A" if key == ENUM else "0", f"{key}.B": "B" if key == ENUM else "1"}
                held = {"type": "string", "parameters": symbols}
                for payload in ("A", "B", None):
                    yield case(st(("e", opt(held)), ("s", {"type": "string"}), name="n.WithEnum"), {"e": payload, "s": "s"}, config)
                yield case(held, "Z", config)
                yield case({**held, "default": "A", "name": "n.E"}, "B", config)
        mixed = {"type": "string", "parameters": {ENUM: "", f"{ENUM}.1": "1", f"{ENUM}.<NULL>": "<NULL>", f"{ENUM}.x": "x"}}
        yield case(opt(mixed), None, config)
        names = [f"{ONE_OF}.field.{n}" for n in range(4)]
        kinds = [opt({"type": "int32"}), opt({"type": "string"}), opt(inner), opt(ARRAY({"type": "boolean"}))]
        general = [f"connect_union_field_{n}" for n in range(4)]
        for union in (st(*zip(names, kinds), name=ONE_OF), st(*zip(general, kinds), name="connect_union_0", parameters={GENERAL_UNION: "connect_union_0"}),
                      st(*zip(names, kinds), name="n.Choice", parameters={GENERAL_UNION: "Choice"})):
            fields = [field["field"] for field in union["fields"]]
            for chosen, value in ((0, 1), (1, ""), (2, {"x": 5}), (3, [True])):
                payload = {field: value if n == chosen else None for n, field in enumerate(fields)}
                yield case(union, payload, config)
                yield case(st(("u", opt(union)), ("after", {"type": "string"}), name="n.WithUnion"), {"u": payload, "after": "z"}, config)
            yield case(st(("u", opt(union)), name="n.WithUnion"), {"u": None}, config)
            yield case(opt(union), None, config)
            yield case(union, {field: None for field in fields}, config)
        singles = st((names[0], opt({"type": "int32"})), name=ONE_OF)
        yield case(singles, {names[0]: 1}, config)
        yield case(opt(singles), {names[0]: 1}, config)
        docs = st(("f", {"type": "int32", "doc": "own", "version": 2, "name": "n.F", "parameters": {"p": "q"}}), name="n.Docs", doc="sd", version=4, parameters={"k": "v"})
        yield case(docs, {"f": 1}, config)
        many = st(*[(name, {"type": "int32"}) for name in ("zeta", "alpha", "Aa", "BB", "AaAa", "BBBB", "AaBB", "\u00fcber", "a b", "$id", "type")], name="n.Many")
        yield case(many, {field["field"]: n for n, field in enumerate(many["fields"])}, config)
        yield case(st(("m", MAP(inner)), ("a", ARRAY(inner)), ("k", MAP(inner, keys={"type": "int64"})), name="n.Holds"),
                   {"m": {"k": {"x": 2}}, "a": [{"x": 1}], "k": [[5, {"x": 3}]]}, config)
        yield case(MAP({"type": "string"}, keys={"type": "int32"}, name="n.M"), [[1, "a"]], config)
        yield case(opt(MAP({"type": "string"}, keys={"type": "int32"})), None, config)
        yield case(st(("n", opt(inner)), ("l", opt(ARRAY(opt(inner)))), name="n.Nulls"), {"n": None, "l": [None, {"x": 1}]}, config)
        yield case(st(("known", {"type": "int32"}), ("__connect_additional_properties__", opt(MAP({"type": "string"}))), name="n.More"),
                   {"known": 1, "__connect_additional_properties__": {"known": "5", "more": "x"}}, config)
        yield case(st(("known", {"type": "int32"}), ("__connect_additional_properties__", opt(MAP({"type": "string"}))), name="n.More"),
                   {"known": 1, "__connect_additional_properties__": None}, config)
        yield case({**inner, "default": {"x": 9}}, {"x": 1}, config)
        yield case(opt(inner), {"x": 1}, config)
        yield case(opt(inner), None, config)
        yield case(st(name="n.Empty"), {}, config)
    for index in range(3):
        identified = st(("x", {"type": "int32"}), name="n.Id", parameters={f"{NAMESPACE}.Id": f"#id{index}"})
        yield case(st(("a", identified), ("b", opt(identified)), ("c", ARRAY(identified)), name="n.Ids"), {"a": {"x": 1}, "b": {"x": 2}, "c": [{"x": 3}]})
    for value in (None, True, 5, "s", 1.5, [], [1, "a", None], {"a": 1}):
        yield {"config": {}, "envelope": {"schema": None, "payload": value}}


# Reading: a JSON Schema and a text of JSON.

def read(schema, *payloads, uses=(), draft=None):
    text = schema if isinstance(schema, str) else json.dumps({**({"$schema": draft} if draft else {}), **schema} if isinstance(schema, dict) else schema)
    for payload in payloads:
        test = {"schema": text, "payload": payload if isinstance(payload, str) else json.dumps(payload)}
        if uses:
            test["uses"] = [{"name": name, "schema": json.dumps(part)} for name, part in uses]
        yield test


def obj(more=None, **properties):
    return {"type": "object", "properties": properties, **(more or {})}


TEXT, NUMBER, INTEGER, YES, NONE = ({"type": kind} for kind in ("string", "number", "integer", "boolean", "null"))
SEVEN, SIX, FOUR = (f"http://json-schema.org/draft-0{n}/schema#" for n in (7, 6, 4))
NINETEEN, TWENTY = (f"https://json-schema.org/draft/20{n}/schema" for n in ("19-09", "20-12"))


def json_hand_made():
    typed = lambda kind, connect_type, **more: {"type": kind, "connect.type": connect_type, **more}
    simple = {
        "string": ["", "x\u00e9\"", 5, True, 1.5, None, [], {}], "integer": [0, -5, 1 << 62, 1.0, 1.5, "7", None, True, 1e3, (1 << 63), (1 << 70)],
        "number": [0, 0.1, -1e300, 1 << 60, "7", None, True], "boolean": [True, False, 1, "true", None], "null": [None, 1],
        "array": [[], [1]], "object": [{}, {"a": 1}],
    }
    for kind, payloads in simple.items():
        yield from read({"type": kind}, *payloads)
        yield from read(obj({"required": ["f"]}, f={"type": kind}, o={"type": kind}), *({"f": payload} for payload in payloads), {})
        yield from read({"oneOf": [NONE, {"type": kind}]}, *payloads)
        yield from read({"type": [kind, "null"]}, *payloads)
    for kind, connect_type, payloads in (
            ("integer", "int8", [1, 127, 128, "x"]), ("integer", "int16", [300, 70000]), ("integer", "int32", [5, 1 << 40]), ("integer", "int64", [1 << 40]),
            ("number", "float32", [1.5, 0.1, 1e300, 3]), ("number", "float64", [0.1, 2]), ("string", "bytes", ["AP8=", "AP8", "!!", 5]),
            ("number", "bytes", [1.25, 3]), ("integer", "float32", [1]), ("string", "int32", ["x"]), ("integer", "strange", [1])):
        yield from read(typed(kind, connect_type), *payloads)
        yield from read(typed(kind, connect_type, default=payloads[0]), payloads[0], None)
        yield from read(obj(f=typed(kind, connect_type, default=payloads[0])), {"f": payloads[0]}, {}, {"f": None})
    for title, kind, connect_type, payloads in (
            ("Date", "integer", "int32", [10000, -1, "x"]), ("Time", "integer", "int32", [3600000, 86400001]), ("Timestamp", "integer", "int64", [1483425001864]),
            ("Date", "string", None, ["2020-01-01"]), ("Timestamp", "integer", "int32", [5])):
        logical = {"type": kind, "title": f"org.apache.kafka.connect.data.{title}", "connect.version": 1, **({"connect.type": connect_type} if connect_type else {})}
        yield from read(logical, *payloads)
        yield from read(obj(a={"oneOf": [NONE, logical]}, b=logical), {"a": None, "b": payloads[0]}, {"a": payloads[0], "b": payloads[0]})
    decimal = lambda kind, **more: typed(kind, "bytes", title="org.apache.kafka.connect.data.Decimal", **{"connect.parameters": {"scale": "2"}, "connect.version": 1, **more})
    yield from read(decimal("number"), 1.56, 1, 1.5, 1.567, "AJw=", None, 1e3, "1.56")
    yield from read(decimal("string"), "AJw=", 1.56, "x", "")
    yield from read(decimal("number", **{"connect.parameters": {}}), 1.56)
    yield from read(decimal("number", default=1.56), None, 2.5)
    yield from read(decimal("string", default="AJw="), None)
    yield from read({"type": "string", "title": "t", "description": "d", "default": "x", "connect.version": 7, "connect.parameters": {"a": "b", "c": "d"}}, "y", None)
    yield from read({"type": "string", "connect.parameters": {"a": 5}}, "y")
    yield from read({"type": "string", "connect.version": "x"}, "y")
    yield from read({"type": "string", "default": 5}, "y")
    yield from read({"type": "integer", "default": "x"}, 1)
    yield from read({"type": "integer", "default": None}, 1)
    yield from read(obj(f={"type": "string", "default": None}, g={"type": "integer", "default": 3}), {}, {"f": None, "g": None}, {"f": "x", "g": 4})
    # Enums and constants.
    yield from read({"enum": ["A", "B"]}, "A", "Z", None)
    yield from read({"enum": ["A", 1, True, None, 1.5]}, "A", 1, True, None)
    yield from read({"type": "string", "enum": ["A", "B"], "title": "n.E", "description": "d", "default": "A"}, "B", None)
    yield from read({"type": "integer", "enum": [1, 2]}, 1)
    yield from read({"oneOf": [NONE, {"enum": ["A"]}]}, "A", None)
    yield from read({"const": "x"}, "x", "y")
    yield from read({"const": 5}, 5)
    yield from read({"type": "string", "const": "x"}, "x")
    # Choices.
    circle = {"type": "object", "title": "Circle", "properties": {"radius": NUMBER}, "required": ["radius"], "additionalProperties": False}
    square = {"type": "object", "title": "Square", "properties": {"side": NUMBER}, "required": ["side"], "additionalProperties": False}
    for word in ("oneOf", "anyOf", "allOf"):
        yield from read({word: [TEXT, INTEGER]}, "x", 5, True, None)
        yield from read({word: [TEXT, INTEGER, NONE]}, "x", 5, None)
        yield from read({word: [TEXT]}, "x")
        yield from read({word: [NONE]}, None)
        yield from read({word: [INTEGER, NUMBER]}, 5, 1.5)
        yield from read({word: [circle, square]}, {"side": 1.5}, {"radius": 2}, {"other": 1})
        yield from read({word: [circle, square, NONE], "title": "Shape", "description": "d"}, {"side": 1.5}, None)
        yield from read(obj(c={word: [circle, square, NONE]}, d={word: [{"type": "array", "items": TEXT}, TEXT]}), {"c": {"side": 1}, "d": ["x"]}, {"c": None, "d": "y"}, {})
        yield from read({word: [{"type": "array", "items": INTEGER}, {"type": "array", "items": TEXT}]}, [1], ["x"], [])
        yield from read({word: [{"oneOf": [TEXT, INTEGER]}, YES]}, "x", 5, True)
        yield from read({word: [{"enum": ["A"]}, INTEGER]}, "A", 3)
        yield from read({word: [obj(a=TEXT), obj(b=INTEGER, a=TEXT)]}, {"a": "x"}, {"a": "x", "b": 1}, {"b": 1})
    for kinds in (["string", "null"], ["null", "integer"], ["string", "integer"], ["string", "integer", "null"], ["object", "null"], ["array", "null"], ["string"]):
        yield from read({"type": kinds}, "x", None, 5)
    yield from read({"type": ["string", "integer"], "default": "x", "title": "t"}, "y", 1, None)
    yield from read({"type": ["object", "null"], "properties": {"a": TEXT}}, {"a": "x"}, None)
    yield from read({"not": TEXT}, 5)
    yield from read({"if": TEXT, "then": {"minLength": 1}}, "x")
    # Objects.
    yield from read(obj({"title": "n.O", "required": ["b"]}, a=TEXT, b=INTEGER, c=obj(d=YES)), {"b": 1}, {"a": "x", "b": 2, "c": {"d": True}, "extra": [1]}, {}, None, [], "x")
    indexed = lambda kind, n, **more: {**kind, "connect.index": n, **more}
    yield from read(obj(z=indexed(TEXT, 0), a=indexed(INTEGER, 1), m=TEXT), {"z": "x", "a": 1, "m": "y"})
    yield from read(obj(**{name: INTEGER for name in ("zeta", "alpha", "Aa", "BB", "a b", "\u00fc")}), {"zeta": 1, "alpha": 2, "Aa": 3, "BB": 4, "a b": 5, "\u00fc": 6})
    yield from read({"type": "object", "additionalProperties": INTEGER}, {"a": 1})
    yield from read({"type": "object", "additionalProperties": False}, {}, {"a": 1})
    yield from read({"type": "object", "connect.type": "map", "additionalProperties": INTEGER}, {"a": 1, "b": 2}, {}, {"a": None})
    yield from read({"type": "object", "connect.type": "map", "additionalProperties": {"oneOf": [NONE, obj(x=INTEGER)]}}, {"a": {"x": 1}, "b": None})
    yield from read({"type": "object", "connect.type": "map"}, {"a": 1})
    yield from read(obj({"additionalProperties": False}, a=TEXT), {"a": "x"}, {"a": "x", "b": 1})
    yield from read(obj({"additionalProperties": INTEGER}, a=TEXT), {"a": "x", "b": 1, "c": 2}, {"a": "x"})
    yield from read(obj({"additionalProperties": True}, a=TEXT), {"a": "x", "b": {"c": [1, "two", None, 1.5, True]}})
    yield from read(obj({"patternProperties": {"^x": INTEGER}}, a=TEXT), {"a": "x", "x1": 1})
    yield from read(obj({"default": {"a": "d"}}, a=TEXT), {"a": "x"}, None)
    pairs = {"type": "array", "connect.type": "map", "items": obj(key=indexed(INTEGER, 0, **{"connect.type": "int32"}), value=indexed(TEXT, 1))}
    yield from read(pairs, [{"key": 1, "value": "a"}, {"key": 2, "value": "b"}], [], [{"key": 1}])
    yield from read(obj(p={"oneOf": [NONE, pairs]}), {"p": None}, {"p": [{"key": 1, "value": "a"}]})
    yield from read({"type": "array", "items": {"type": "array", "items": NUMBER}}, [[1.5, 2], []])
    yield from read({"type": "array", "items": [TEXT, INTEGER]}, ["x", 1])
    yield from read({"type": "array", "items": True}, ["x"])
    yield from read({"type": "array", "default": ["d"], "items": TEXT}, [], None)
    yield from read(obj(a=True), {"a": 1})
    yield from read("true", 1)
    yield from read("{}", 1, {"a": 1})
    yield from read({"properties": {"a": TEXT}}, {"a": "x"})
    yield from read({"items": TEXT}, ["x"])
    yield from read({"minLength": 1}, "x")
    yield from read({"minimum": 1}, 2)
    # All of these at once.
    yield from read({"allOf": [obj(a=TEXT), obj(b=INTEGER)]}, {"a": "x", "b": 1}, {})
    yield from read({"allOf": [TEXT, {"minLength": 1}]}, "x")
    yield from read({"allOf": [{"minLength": 1}, {"maxLength": 5}]}, "x")
    # References.
    leaf = {"type": "object", "title": "Leaf", "properties": {"v": {"type": ["null", "string"]}}}
    for word, draft in (("definitions", None), ("definitions", SEVEN), ("definitions", FOUR), ("definitions", SIX), ("$defs", NINETEEN), ("$defs", TWENTY)):
        refer = {"$ref": f"#/{word}/leaf"}
        yield from read(obj({word: {"leaf": leaf}}, one=refer, many={"type": "array", "items": refer}, maybe={"oneOf": [NONE, refer]}),
                        {"one": {"v": "a"}, "many": [{"v": None}], "maybe": None}, {"one": {}, "maybe": {"v": "x"}}, draft=draft)
        yield from read(obj({word: {"leaf": leaf}}, one={**refer, "description": "beside", "default": {"v": "d"}}), {"one": {"v": "a"}}, {}, draft=draft)
        yield from read({word: {"leaf": leaf}, **refer}, {"v": "a"}, draft=draft)
        yield from read(obj(a=TEXT, b={"type": "array", "items": INTEGER}, c={"const": 1}), {"a": "x", "b": [1], "c": 1}, draft=draft)
        yield from read({"oneOf": [TEXT, INTEGER]}, "x", 5, draft=draft)
        yield from read({"type": ["string", "integer"]}, "x", 5, draft=draft)
    yield from read({"type": "array", "prefixItems": [TEXT], "items": INTEGER}, ["x", 1], draft=TWENTY)
    yield from read(obj({"unevaluatedProperties": False}, a=TEXT), {"a": "x"}, draft=TWENTY)
    yield from read(obj({"dependentRequired": {"a": ["b"]}}, a=TEXT, b=TEXT), {"a": "x", "b": "y"}, draft=NINETEEN)
    yield from read(obj({"$id": "http://x/y.json"}, self=TEXT), {"self": "x"}, draft=SEVEN)
    street = {"type": "object", "title": "Street", "properties": {"name": TEXT, "numbers": {"type": "array", "items": INTEGER}}}
    home = obj(home={"$ref": "street.json"}, work={"oneOf": [NONE, {"$ref": "street.json"}]})
    yield from read(home, {"home": {"name": "s", "numbers": [1, 2]}, "work": None}, {"work": {"name": "w"}}, uses=[("street.json", street)])
    town = obj({"title": "Town"}, main={"$ref": "street.json"})
    yield from read(obj(town={"$ref": "town.json"}), {"town": {"main": {"name": "s"}}}, uses=[("street.json", street), ("town.json", town)])
    yield from read(obj(a={"$ref": "street.json#/properties/name"}), {"a": "x"}, uses=[("street.json", street)])
    # Texts that are no JSON, or not only.
    yield from read(TEXT, '"x" ', '"x" 5', '{"a":', "", "nul", "NaN", "\ufeff5")
    yield from read(obj(a=INTEGER), '{"a":1,"a":2}', '{"a":1,}', "{'a':1}", '{"a":01}', '{"a":1e400}', '{"a":-0}')
    yield from read(NUMBER, "1.0", "1e5", "1E-3", "-0.0", "0.1000000000000000055511151231257827", "123456789012345678901234567890")
    yield from read(INTEGER, "1.0", "9223372036854775808", "-9223372036854775809", "1e2")


def random_json(depth):
    """A JSON Schema and a value of it."""
    kind = RANDOM.choice(["string", "integer", "number", "boolean", "typed", "enum", "nullable"] + (["object", "array", "map", "oneOf"] * 2 if depth < 3 else []))
    if kind == "typed":
        return RANDOM.choice([
            ({"type": "integer", "connect.type": "int8"}, 5), ({"type": "integer", "connect.type": "int32"}, -5), ({"type": "number", "connect.type": "float32"}, 1.5),
            ({"type": "string", "connect.type": "bytes"}, "AP8="), ({"type": "integer", "title": "org.apache.kafka.connect.data.Date", "connect.type": "int32", "connect.version": 1}, 10000),
            ({"type": "integer", "title": "org.apache.kafka.connect.data.Timestamp", "connect.type": "int64", "connect.version": 1}, 1483425001864)])
    if kind == "enum":
        return {"enum": ["A", "B"]}, RANDOM.choice(["A", "B"])
    if kind == "nullable":
        held, value = random_json(3)
        value = None if RANDOM.random() < 0.4 else value
        return {RANDOM.choice(["oneOf", "anyOf"]): [NONE, held] if RANDOM.random() < 0.7 else [held, NONE]}, value
    if kind == "object":
        fields, value = {}, {}
        for i in range(RANDOM.randint(1, 5)):
            fields[f"f{i}"], held = random_json(depth + 1)
            if RANDOM.random() < 0.8:
                value[f"f{i}"] = held
            if RANDOM.random() < 0.3:
                fields[f"f{i}"]["connect.index"] = i
        more = {}
        if RANDOM.random() < 0.5:
            more["title"] = f"R{RANDOM.randint(1, 99)}"
        if RANDOM.random() < 0.3:
            more["required"] = list(value)
        if RANDOM.random() < 0.3:
            more["additionalProperties"] = RANDOM.choice([True, False])
        return obj(more, **fields), value
    if kind == "array":
        held, value = random_json(depth + 1)
        return {"type": "array", "items": held}, [value] * RANDOM.randint(0, 2)
    if kind == "map":
        held, value = random_json(depth + 1)
        return {"type": "object", "connect.type": "map", "additionalProperties": held}, {"k": value}
    if kind == "oneOf":
        members = [random_json(depth + 1) for _ in range(RANDOM.randint(2, 3))]
        return {RANDOM.choice(["oneOf", "anyOf"]): [schema for schema, _ in members]}, RANDOM.choice(members)[1]
    value = {"string": "h\u00e9", "integer": 1 << 35, "number": 0.5, "boolean": True}[kind]
    schema = {"type": kind}
    if RANDOM.random() < 0.2:
        schema["default"] = value
    if RANDOM.random() < 0.1:
        schema.update(title="t", description="d")
    return schema, value


def cases():
    yield from hand_made()
    for number in range(300):
        schema = connect.random_schema(0, [0])
        yield case(schema, connect.random_value(schema), CONFIGS[number % len(CONFIGS)])
    for test, config in itertools.product(list(json_hand_made()), CONFIGS):
        yield {"config": config, **test}
    for number in range(300):
        schema, value = random_json(0)
        for test in read(schema, value):
            yield {"config": CONFIGS[number % len(CONFIGS)], **test}


connect.print_cases(cases())
