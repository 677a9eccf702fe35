"""What Kubernetes itself says of its objects, for several versions of it: fetched, kept in the build folder, never committed.

Each is brought into the form that json_schema.py reads: definitions by name, and the one of each kind.
- 1.20: the OpenAPI document in Debian's source package.
- others: what is generated from the OpenAPI documents for TypeScript, in npm's packages kubernetes-types and
  @kubernetes/client-node.
"""
import glob
import json
import os
import re
import shutil
import subprocess
import tarfile
import tempfile

SOURCES = {
    20: ("debian", "kubernetes"),
    26: ("npm", "kubernetes-types@1.26.0"),
    30: ("npm", "kubernetes-types@1.30.0"),
    34: ("npm", "@kubernetes/client-node@1.4.0"),
}
LIMIT_S = 200
KINDS = {"v1": "core/v1", "apps/v1": "apps/v1", "networking.k8s.io/v1": "networking/v1", "policy/v1": "policy/v1",
         "policy/v1beta1": "policy/v1beta1", "autoscaling/v2": "autoscaling/v2", "rbac.authorization.k8s.io/v1": "rbac/v1"}


class Absent(Exception):
    """Why a version's schema can't be had here."""


def run(*words, cwd):
    try:
        done = subprocess.run(words, cwd=cwd, capture_output=True, text=True, timeout=LIMIT_S, check=False,
                              stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired) as why:
        raise Absent(str(why)) from why
    if done.returncode:
        raise Absent(f"{' '.join(words[:3])}: {(done.stderr.strip().splitlines() or ['it failed'])[-1]}")


# --- Debian's OpenAPI document

def plain_schema(schema):
    """A schema of OpenAPI 2 as json_schema.py knows them. An object or a number may say no more than that."""
    if "$ref" in schema:
        return {"$ref": schema["$ref"]}
    plain = {key: schema[key] for key in ("type", "required") if key in schema}
    if schema.get("format") == "int-or-string":
        plain["type"] = ["integer", "string"]
    if "items" in schema:
        plain["items"] = plain_schema(schema["items"])
    if isinstance(schema.get("additionalProperties"), dict):
        plain["additionalProperties"] = plain_schema(schema["additionalProperties"])
    if "properties" in schema:
        plain["properties"] = {name: plain_schema(each) for name, each in schema["properties"].items()}
    return plain


def source_lists():
    """Where this machine has Debian's packages from, for source packages: (name of the file, content)."""
    for path in ["/etc/apt/sources.list", *sorted(glob.glob("/etc/apt/sources.list.d/*"))]:
        if not os.path.exists(path):
            continue
        with open(path, encoding="utf-8") as file:
            text = file.read()
        if path.endswith(".sources"):
            stanzas = [re.sub(r"^Types:.*", "Types: deb-src", each, flags=re.MULTILINE)
                       for each in re.split(r"\n\s*\n", text) if "debian-archive-keyring" in each]
            yield os.path.basename(path), "\n\n".join(stanzas)
        else:
            lines = [re.sub(r"^deb(-src)?\s", "deb-src ", line) for line in text.splitlines()
                     if re.match(r"deb(-src)?\s.*/debian(-security)?/?\s", line)]
            yield os.path.basename(path), "\n".join(sorted(set(lines))) + "\n"


def apt_of_sources(folder):
    """apt-get with lists of its own in a folder, for source packages, which a machine needn't have lists of."""
    parts = os.path.join(folder, "sources.list.d")
    for made in (parts, os.path.join(folder, "lists", "partial"), os.path.join(folder, "cache", "archives", "partial")):
        os.makedirs(made, exist_ok=True)
    for name, text in source_lists():
        with open(os.path.join(parts, name if "." in name else name + ".list"), "w", encoding="utf-8") as file:
            file.write(text)
    return ["apt-get", "-q", "-o", "Dir::Etc::SourceList=/dev/null", "-o", f"Dir::Etc::SourceParts={parts}",
            "-o", f"Dir::State::Lists={folder}/lists", "-o", f"Dir::Cache={folder}/cache", "-o", "APT::Sandbox::User=root"]


def from_debian(package, folder):
    apt = apt_of_sources(folder)
    run(*apt, "update", cwd=folder)
    run(*apt, "source", "--download-only", package, cwd=folder)
    [archive] = glob.glob(os.path.join(folder, "*.orig.tar.gz"))
    with tarfile.open(archive) as tar:
        name = next(each for each in tar.getnames() if each.endswith("/api/openapi-spec/swagger.json"))
        document = json.load(tar.extractfile(name))
    definitions = {name: plain_schema(each) for name, each in document["definitions"].items()}
    kinds = {}
    for name, each in document["definitions"].items():
        for kind in each.get("x-kubernetes-group-version-kind", []):
            api = f"{kind['group']}/{kind['version']}" if kind["group"] else kind["version"]
            kinds[f"{api} {kind['kind']}"] = name
    return {"definitions": definitions, "kinds": kinds}


# --- TypeScript's types

def type_schema(text, resolve):
    text = text.strip()
    if text.startswith("Array<"):
        return {"type": "array", "items": type_schema(text[6:-1], resolve)}
    if text.startswith("{"):
        inner = re.fullmatch(r"\{\s*\[\w+: string\]: (.*?);?\s*\}", text, re.DOTALL).group(1)
        return {"type": "object", "additionalProperties": type_schema(inner, resolve)}
    if text in ("number | string", "IntOrString"):
        return {"type": ["integer", "string"]}
    if text.startswith('"'):
        return {"type": "string", "enum": [json.loads(text)]}
    known = {"number": "integer", "string": "string", "boolean": "boolean", "Date": "string"}  # no object here has a fraction
    return {"type": known[text]} if text in known else ({} if text in ("any", "object") else resolve(text))


FIELD = re.compile(r"^ {4}'?([\w$-]+)'?(\?)?: (\{.*?^ {4}\}|[^;]*);", re.MULTILINE | re.DOTALL)
TYPE = re.compile(r"^export (?:interface|declare class) (\w+)(?: extends \w+)? \{\n(.*?)^\}", re.MULTILINE | re.DOTALL)


def interfaces(text, resolve):
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    for name, body in TYPE.findall(text):
        fields = {field.lstrip("_"): (optional, kind) for field, optional, kind in FIELD.findall(body)}
        yield name, {"type": "object",
                     "required": [field for field, (optional, _) in fields.items() if not optional],
                     "properties": {field: type_schema(kind, resolve) for field, (_, kind) in fields.items()}}
    for name, kind in re.findall(r"^export (?:declare )?type (\w+) = (.*);", text, re.MULTILINE):
        yield name, type_schema(kind, resolve)


def definition(module, name):
    return f"{module}.{name}".replace("/", "_")


def from_types(folder):
    """kubernetes-types: a file a group, which import each other's types."""
    definitions, kinds = {}, {}
    for path in glob.glob(os.path.join(folder, "**", "*.d.ts"), recursive=True):
        module = os.path.relpath(path, folder)[:-len(".d.ts")]
        with open(path, encoding="utf-8") as file:
            text = file.read()
        where = {}
        for names, source in re.findall(r'^import \{ (.*?) \} from "(.*?)";', text, re.MULTILINE):
            other = os.path.normpath(os.path.join(os.path.dirname(module), source))
            where.update({name: other for name in names.split(", ")})
        def resolve(name, where=where, module=module):
            return {"$ref": "#/definitions/" + definition(where.get(name, module), name)}
        definitions.update((definition(module, name), schema) for name, schema in interfaces(text, resolve))
    for api, module in KINDS.items():
        for name in definitions:
            kind = name.rpartition(".")[2]
            if name == definition(module, kind):
                kinds[f"{api} {kind}"] = name
    return {"definitions": definitions, "kinds": kinds}


def from_client(folder):
    """@kubernetes/client-node: a file a type, named after its version and kind."""
    definitions, kinds = {}, {}
    for path in glob.glob(os.path.join(folder, "dist", "gen", "models", "*.d.ts")):
        with open(path, encoding="utf-8") as file:
            for name, schema in interfaces(file.read(), lambda name: {"$ref": f"#/definitions/{name}"}):
                definitions[name] = schema
    for api in KINDS:
        version = api.rpartition("/")[2].capitalize()
        kinds.update((f"{api} {name[len(version):]}", name) for name in definitions
                     if re.fullmatch(version + "[A-Z].*", name))
    definitions.setdefault("IntOrString", {"type": ["integer", "string"]})
    definitions.setdefault("V1MicroTime", {"type": "string"})
    return {"definitions": definitions, "kinds": kinds}


def from_npm(package, folder):
    if not shutil.which("npm"):
        raise Absent("npm is not installed")
    run("npm", "pack", "--silent", package, cwd=folder)
    [archive] = glob.glob(os.path.join(folder, "*.tgz"))
    with tarfile.open(archive) as tar:
        tar.extractall(folder)
    content = os.path.join(folder, "package")
    return (from_types if package.startswith("kubernetes-types") else from_client)(content)


def schema_of(minor, cache):
    """{"definitions", "kinds"} of Kubernetes 1.minor. Absent says why it can't be had."""
    kept = os.path.join(cache, f"kubernetes-1.{minor}-{len(KINDS)}.json")  # of so many groups
    if not os.path.exists(kept):
        os.makedirs(cache, exist_ok=True)
        origin, package = SOURCES[minor]
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            schema = (from_debian if origin == "debian" else from_npm)(package, folder)
            written = os.path.join(folder, "schema.json")
            with open(written, "w", encoding="utf-8") as file:
                json.dump(schema, file)
            os.rename(written, kept)
    with open(kept, encoding="utf-8") as file:
        return json.load(file)
