"""What `chains manifests` prints for several chains, with and without options."""
import functools
import json
import os
import subprocess

from chains_testing import CHAINS, SOURCE

MENU = os.path.join(SOURCE, "tests", "kubernetes", "menu")
BATCH = os.path.join(SOURCE, "tests", "e2e", "batch")
CHAINS_TRIED = [MENU, *(os.path.join(SOURCE, "examples", name) for name in ("hello", "poem", "transcribe"))]
OPTIONS = [[], ["--autoscaler", "hpa"], ["--autoscaler", "none", "--tls", "on"], ["--namespace", "team-a", "--create-namespace", "--pull-secret", "registry", "--asset-claim", "models", "--near-claim", "near",
                "--front-door-namespace", "chains", "--owner-uid", "4fd7ff52-2d9f-4f7e-9d0a-0a4a4c0c1c11"]]


CONTROLLER = ["--image", "registry.example.com/chains/chainsd:1"]
CONTROLLER_OPTIONS = [[], ["--ephemeral", "--namespace", "team-a", "--create-namespace", "--pull-secret", "registry", "--allow-insecure-network"],
                      ["--state", "database", "--replicas", "2", "--tls-secret", "door", "--allow-host", "chains.example.com"],
                      ["--storage", "2.5Gi", "--storage-class", "fast"]]


def controller(*words):
    """What `chains controller --print` prints."""
    done = subprocess.run([CHAINS, "controller", "--print", *CONTROLLER, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{words}: {done.stderr}"
    return done.stdout


def controller_objects(*words):
    return json.loads(controller(*words, "--json"))["items"]


@functools.cache
def manifests(*words):
    done = subprocess.run([CHAINS, "manifests", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{words}: {done.stderr}"
    assert not done.stderr, done.stderr
    return done.stdout


def objects(*words):
    listed = json.loads(manifests(*words, "--json"))
    assert (listed["apiVersion"], listed["kind"]) == ("v1", "List")
    return listed["items"]
