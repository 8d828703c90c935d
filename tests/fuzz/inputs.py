"""Random inputs for api_fuzzer.py: values that fit a JSON schema, and ways to spoil them."""

import json
import string

TEXTS = [
    "", " ", "0", "-1", "true", "null", "..", "../../etc/passwd", "configs/base.yaml", "configs\\base.yaml", "/etc/passwd",
    "a" * 255, "a" * 5000, "a" * 70000, "\u0000", "\n", "\r\n", "\t", "\x1b[31m", "\u6570\u636e \U0001f680", "\u202e", "\ufeff", "\ufffd",
    "{hint.run_id}", "{hint.}", "{{", "%s%n", "$(id)", "`id`", "'; DROP TABLE jobs; --", "%", "_", "-", "--help", "\\", '"',
    "1e999", "NaN", "9" * 400, "2024-02-29", "2023-02-29", "a=b", "=", "x=[1, {", "TSM", "job_20260101_120000__0123abcd",
    "(a+)+$", "[", "*", "\\p{L}", "(?P<x>", "a" * 2000 + "!",
]
NUMBERS = [0, 1, -1, 2, 7, 49, 500, 501, 1000, 10**6, 10**6 + 1, 2**31 - 1, 2**31, 2**53 + 1, 2**63 - 1, -2**63, 2**63, 2**64,
           10**30, 0.5, -0.0, 1e-300, 1e308, 12.0]


class Inputs:
    def __init__(self, random, components):
        self.random = random
        self.components = components
        self.job_ids = ["job_20260101_120000__0123abcd"]

    def text(self):
        kind = self.random.randrange(4)
        if kind == 0:
            return "".join(self.random.choices(string.printable, k=self.random.randrange(40)))
        if kind == 1:
            return "".join(chr(self.random.choice((self.random.randrange(0x250), self.random.randrange(0xd800),
                                                   self.random.randrange(0xe000, 0x110000))))
                           for _ in range(self.random.randrange(20)))
        return self.random.choice(TEXTS)

    def anything(self, depth=0):
        kind = self.random.randrange(9 if depth < 4 else 6)
        if kind < 2:
            return self.text()
        if kind < 4:
            return self.random.choice(NUMBERS)
        if kind == 4:
            return self.random.choice((None, True, False))
        if kind == 5:
            return self.random.choice(self.job_ids)
        if kind == 6:
            return [self.anything(depth + 1) for _ in range(self.random.randrange(5))]
        return {self.text(): self.anything(depth + 1) for _ in range(self.random.randrange(5))}

    def fitting(self, schema, depth=0):
        """A value that a schema allows, as far as its usual keywords say."""
        if schema is True or schema is None or depth > 6:
            return self.anything(depth)
        if "$ref" in schema:
            target = self.components
            for step in schema["$ref"].split("/")[2:]:
                target = target[step]
            return self.fitting(target, depth + 1)
        if "examples" in schema and self.random.random() < 0.3:
            return self.random.choice(schema["examples"])
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return self.random.choice(schema["enum"])
        for keyword in ("oneOf", "anyOf", "allOf"):
            if keyword in schema:
                return self.fitting(self.random.choice(schema[keyword]), depth + 1)
        kind = schema.get("type", "object" if "properties" in schema else "string")
        if isinstance(kind, list):
            kind = self.random.choice(kind)
        if kind == "object":
            properties = schema.get("properties", {})
            required = set(schema.get("required", ()))
            return {name: self.fitting(each, depth + 1) for name, each in properties.items()
                    if name in required or self.random.random() < 0.4}
        if kind == "array":
            return [self.fitting(schema.get("items", True), depth + 1)
                    for _ in range(self.random.randrange(min(schema.get("maxItems", 4), 4) + 1))]
        if kind in ("integer", "number"):
            low, high = schema.get("minimum", -1000), schema.get("maximum", 1000)
            return self.random.choice((low, high, self.random.randint(low, min(high, low + 1000))))
        if kind == "boolean":
            return self.random.random() < 0.5
        if kind == "null":
            return None
        if "pattern" in schema and "job_" in schema["pattern"]:
            return self.random.choice(self.job_ids)
        if schema.get("format") == "date":
            return "2024-02-29"
        return self.random.choice(("a", "TSM", "configs/base.yaml", "a.b=1", self.text()[:schema.get("maxLength", 100)]))

    def spoiled(self, value):
        """The value with one thing changed."""
        if isinstance(value, dict):
            value = dict(value)
            kind = self.random.randrange(4)
            if kind == 0 or not value:
                value[self.random.choice((self.text(), "_job", "params", "__proto__"))] = self.anything()
            elif kind == 1:
                del value[self.random.choice(list(value))]
            else:
                name = self.random.choice(list(value))
                value[name] = self.spoiled(value[name]) if kind == 2 else self.anything()
            return value
        if isinstance(value, list) and value and self.random.random() < 0.7:
            value = list(value)
            if self.random.random() < 0.2:
                return value * self.random.choice((2, 100, 2000))
            at = self.random.randrange(len(value))
            value[at] = self.spoiled(value[at])
            return value
        return self.anything()

    def body(self, schema, examples):
        """The bytes of a body: an example, what fits, what is spoiled, or no JSON at all."""
        value = self.random.choice(examples) if examples and self.random.random() < 0.4 else self.fitting(schema)
        for _ in range(self.random.choice((0, 0, 0, 1, 1, 2, 5))):
            value = self.spoiled(value)
        if self.random.random() < 0.05:
            value = self.anything()
        text = json.dumps(value, ensure_ascii=self.random.random() < 0.5).encode("utf-8", "surrogatepass")
        kind = self.random.randrange(40)
        if kind == 0:
            text = text[:self.random.randrange(len(text) + 1)]
        elif kind == 1:
            text = b"\xef\xbb\xbf" + text
        elif kind == 2:
            at = self.random.randrange(len(text) + 1)
            text = text[:at] + self.random.randbytes(self.random.randrange(1, 6)) + text[at:]
        elif kind == 3:
            text = self.random.randbytes(self.random.randrange(200))
        elif kind == 4:
            opening = self.random.choice((b"[", b'{"a":', b'{"params":{"x":'))
            text = opening * self.random.choice((20, 33, 1000, 20000))
        elif kind == 5:
            text = b'{"note": "' + b"a" * self.random.choice((4000, 4001, 1_000_000, 1_048_576)) + b'"}'
        elif kind == 6:
            text = text + b" " * 10 + text
        elif kind == 7:
            text = b""
        elif kind == 8:
            text = text.replace(b":", b": \"\\ud800\", \"a\":", 1)
        return text
