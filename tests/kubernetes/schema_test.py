"""schema_test.py MINOR: what `chains manifests` and `chains controller` print for Kubernetes 1.MINOR, against its own schema.

Unknown fields, wrong types and missing ones, as its API server would say. Exits with 77 where the schema can't be had.
"""
import json
import os
import sys

import json_schema
import kubernetes_schemas
from chains_testing import BUILD
from manifests_printed import CHAINS_TRIED, CONTROLLER_OPTIONS, MENU, OPTIONS, controller_objects, objects


def check_each(schema, whose, listed):
    """How many were looked at."""
    for each in listed:
        kind = f"{each['apiVersion']} {each['kind']}"
        assert kind in schema["kinds"], f"{whose}: there is no {kind}"
        faults = list(json_schema.faults(schema, schema["definitions"][schema["kinds"][kind]], each))
        assert not faults, f"{whose}: {kind} {each['metadata']['name']}: {faults}"
    return len(listed)


def check_objects(schema, minor):
    """Those of chains, and of the controller."""
    count = sum(check_each(schema, chain, objects(chain, "--kubernetes", f"1.{minor}", *options))
                for chain in CHAINS_TRIED for options in OPTIONS)
    return count + sum(check_each(schema, "the controller", controller_objects(*options)) for options in CONTROLLER_OPTIONS)


def inside(schema, definition, *names):
    """What is said of a field of a field of a definition."""
    for name in names:
        definition = definition["properties"][name]
        while "$ref" in definition:
            definition = json_schema.resolve(schema, definition["$ref"])
    return definition


def check_knative(schema, minor):
    """Kubernetes has no schema of Knative's Services; what is in them are its own pods."""
    pod = inside(schema, schema["definitions"][schema["kinds"]["apps/v1 Deployment"]], "spec", "template", "spec")
    for each in objects(MENU, "--kubernetes", f"1.{minor}", "--autoscaler", "knative", "--namespace", "team-a"):
        if each["apiVersion"] != "serving.knative.dev/v1":
            continue
        spec = dict(each["spec"]["template"]["spec"])
        own = {key: spec.pop(key) for key in ("containerConcurrency", "timeoutSeconds")}
        assert all(isinstance(value, int) for value in own.values()), own
        faults = list(json_schema.faults(schema, pod, spec))
        assert not faults, f"{each['metadata']['name']}: {faults}"


def check_refusals(schema, minor):
    """That it would be seen: a field that isn't one, another type, one that is missing."""
    deployment = next(each for each in objects(MENU, "--kubernetes", f"1.{minor}") if each["kind"] == "Deployment")
    definition = schema["definitions"][schema["kinds"]["apps/v1 Deployment"]]
    for change, said in ((lambda container: container.update(livenesProbe={}), "livenesProbe isn't described"),
                         (lambda container: container.update(image=7), "is no string"),
                         (lambda container: container["ports"][0].update(containerPort="80"), "is no integer"),
                         (lambda container: container.pop("name"), "name is missing")):
        changed = json.loads(json.dumps(deployment))
        change(changed["spec"]["template"]["spec"]["containers"][0])
        found = " ".join(json_schema.faults(schema, definition, changed))
        assert said in found, f"{said}: {found}"


def main():
    minor = int(sys.argv[1])
    try:
        schema = kubernetes_schemas.schema_of(minor, os.path.join(BUILD, "kubernetes-schemas"))
    except kubernetes_schemas.Absent as why:
        print(f"skipped: the schema of Kubernetes 1.{minor} can't be had: {why}")
        sys.exit(77)
    count = check_objects(schema, minor)
    check_knative(schema, minor)
    check_refusals(schema, minor)
    print(f"{count} objects are as Kubernetes 1.{minor} has them")


main()
