"""A validator for the part of JSON Schema 2020-12 that schemas of this project use, and the structure of OpenAPI 3.1.

A keyword that isn't known here is a failure: what isn't looked at would count as valid.
"""
import re

CHECKED = {"type", "enum", "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "minProperties",
           "maxProperties", "properties", "required", "items", "additionalProperties", "anyOf", "$ref"}
IGNORED = {"description", "default", "contentEncoding"}


def is_of_type(value, name):
    if name in ("integer", "number"):
        whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
        return isinstance(value, (int, float)) and not isinstance(value, bool) and (name == "number" or whole)
    return isinstance(value, {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}[name])


def resolve(document, reference):
    assert reference.startswith("#/"), reference
    at = document
    for part in reference[2:].split("/"):
        assert part in at, f"{reference} leads nowhere"
        at = at[part]
    return at


def faults(document, schema, value, path="$"):
    """What is wrong with the value, a sentence each. References are within the document."""
    unknown = set(schema) - CHECKED - IGNORED
    if unknown:
        yield f"{path}: the validator doesn't know {sorted(unknown)}"
    if "$ref" in schema:
        yield from faults(document, resolve(document, schema["$ref"]), value, path)
    if "anyOf" in schema:
        tries = [list(faults(document, each, value, path)) for each in schema["anyOf"]]
        if all(tries):
            yield from min(tries, key=len)
    types = schema.get("type", [])
    types = [types] if isinstance(types, str) else types
    if types and not any(is_of_type(value, name) for name in types):
        yield f"{path}: {value!r} is no {' or '.join(types)}"
        return
    if "enum" in schema and value not in schema["enum"]:
        yield f"{path}: {value!r} is none of {schema['enum']}"
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if value < schema.get("minimum", value) or value > schema.get("maximum", value):
            yield f"{path}: {value} is out of range"
    for kind, least, most in ((str, "minLength", "maxLength"), (list, "minItems", "maxItems"),
                              (dict, "minProperties", "maxProperties")):
        if isinstance(value, kind) and not schema.get(least, 0) <= len(value) <= schema.get(most, len(value)):
            yield f"{path}: {len(value)} is no length for it"
    if isinstance(value, list) and "items" in schema:
        for index, item in enumerate(value):
            yield from faults(document, schema["items"], item, f"{path}[{index}]")
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        for name in schema.get("required", []):
            if name not in value:
                yield f"{path}.{name} is missing"
        for name, item in value.items():
            if name in properties:
                yield from faults(document, properties[name], item, f"{path}.{name}")
            elif isinstance(schema.get("additionalProperties"), dict):
                yield from faults(document, schema["additionalProperties"], item, f"{path}.{name}")
            elif "properties" in schema:
                yield f"{path}.{name} isn't described"


def schema_faults(document, schema, path):
    """What is wrong with a schema itself."""
    if not isinstance(schema, dict):
        yield f"{path}: {schema!r} is no schema"
        return
    for word in set(schema) - CHECKED - IGNORED:
        yield f"{path}: the validator doesn't know {word}"
    if "$ref" in schema:
        resolve(document, schema["$ref"])
    for name in schema.get("required", []):
        if name not in schema.get("properties", {}):
            yield f"{path}: {name} is required and isn't described"
    inner = list(schema.get("properties", {}).items()) + [("anyOf", each) for each in schema.get("anyOf", [])]
    inner += [(word, schema[word]) for word in ("items", "additionalProperties") if word in schema]
    for name, each in inner:
        yield from schema_faults(document, each, f"{path}.{name}")


def content_faults(document, holder, path):
    if not holder.get("content"):
        yield f"{path} has no content"
    for media, content in holder.get("content", {}).items():
        yield from schema_faults(document, content["schema"], f"{path} {media}")


def path_of(document, path):
    """The path of the document that such a path is; the one that says more of it word by word. None: there is none."""
    words = path.split("?")[0].split("/")
    found = [template for template in document["paths"]
             if len(template.split("/")) == len(words) and
             all(mine == word or (mine.startswith("{") and word) for mine, word in zip(template.split("/"), words))]
    return min(found, key=lambda template: template.count("{"), default=None)


def response_of(document, operation, status):
    """The response of a status: its own, or that of its hundred."""
    responses = operation["responses"]
    found = responses.get(str(status)) or responses.get(f"{status // 100}XX")
    assert found, f"{operation['operationId']}: the status {status} isn't described"
    return resolve(document, found["$ref"]) if "$ref" in found else found


def document_faults(document):
    """What is wrong with an OpenAPI 3.1 document, as far as it uses it."""
    if not re.fullmatch(r"3\.1\.\d+", document.get("openapi", "")):
        yield "openapi: it must be 3.1"
    for name in ("title", "version"):
        if not isinstance(document.get("info", {}).get(name), str):
            yield f"info.{name} is missing"
    for name, schema in document["components"]["schemas"].items():
        if not re.fullmatch(r"[A-Za-z0-9._-]+", name):
            yield f"components: {name} is no name"
        yield from schema_faults(document, schema, name)
    ids = set()
    for path, item in document["paths"].items():
        if not path.startswith("/"):
            yield f"{path} begins with no slash"
        for method, operation in item.items():
            where = f"{method} {path}"
            if method not in ("get", "put", "post", "delete", "patch"):
                yield f"{where}: that is no method"
            if operation["operationId"] in ids:
                yield f"{where}: its id isn't its own"
            ids.add(operation["operationId"])
            named = [each["name"] for each in operation.get("parameters", []) if each["in"] == "path"]
            if named != re.findall(r"\{(\w+)\}", path):
                yield f"{where}: {named} aren't what is in the path"
            for each in operation.get("parameters", []):
                if each["in"] not in ("path", "query", "header") or (each["in"] == "path") != each.get("required", False):
                    yield f"{where}: {each['name']}: in and required don't go together"
                yield from schema_faults(document, each["schema"], f"{where} {each['name']}")
            if "requestBody" in operation:
                yield from content_faults(document, operation["requestBody"], f"{where} body")
            if not any(status.startswith("2") for status in operation["responses"]):
                yield f"{where}: it never succeeds"
            for status in operation["responses"]:
                response = response_of(document, operation, int(status.replace("XX", "00")))
                if not response.get("description"):
                    yield f"{where} {status} says nothing"
                yield from content_faults(document, response, f"{where} {status}")
            for security in operation.get("security", document.get("security", [])):
                for name in security:
                    if name not in document["components"]["securitySchemes"]:
                        yield f"{where}: there is no security scheme {name}"
