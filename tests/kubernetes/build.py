"""Kubernetes' programs from Debian's source package, built once into a cache.

$CHAINS_KUBERNETES_CACHE (default: ~/.cache/chains-kubernetes) holds VERSION/ with the programs, a pause program for pods and
swagger.json, the API's own schema. What was needed to build them is removed after it.
"""
import glob
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from kubernetes_schemas import apt_of_sources  # pylint: disable=wrong-import-position

PROGRAMS = ["kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kubectl", "kube-proxy"]


def cache():
    return os.path.abspath(os.environ.get("CHAINS_KUBERNETES_CACHE") or os.path.expanduser("~/.cache/chains-kubernetes"))


def find():
    """The folder of the newest programs in the cache; None: they have to be built."""
    whole = [os.path.dirname(path) for path in glob.glob(os.path.join(glob.escape(cache()), "*", "complete"))]
    return max(whole, key=os.path.getmtime, default=None)


def fetch(work):
    """Debian's source package, unpacked."""
    os.makedirs(os.path.join(work, "source"), exist_ok=True)
    apt = apt_of_sources(work)
    source = os.path.join(work, "source")
    subprocess.run([*apt, "update"], check=True)
    subprocess.run([*apt, "source", "--only-source", "kubernetes"], cwd=source, check=True)
    return source_in(work)


def source_in(work):
    return next(entry.path for entry in os.scandir(os.path.join(work, "source")) if entry.is_dir())


def compile_programs(source, work, jobs):
    env = dict(os.environ, CGO_ENABLED="0", GOFLAGS=f"-p={jobs}", GOPROXY="off", HOME=work, GOCACHE=os.path.join(work, "go"),
               KUBE_GIT_TREE_STATE="archive", KUBE_GIT_COMMIT="debian", KUBE_GIT_VERSION=version_of(source),
               KUBE_GIT_MAJOR="1", KUBE_GIT_MINOR=version_of(source).split(".")[1], KUBE_VERBOSE="0")
    env.pop("GOPATH", None)
    subprocess.run(["nice", "-n", "19", "make", "-s", "WHAT=" + " ".join("cmd/" + name for name in PROGRAMS)],
                   cwd=source, env=env, check=True)


def version_of(source):
    """`v1.20.2` of `kubernetes-1.20.5+really1.20.2`."""
    return "v" + os.path.basename(source).removeprefix("kubernetes-").rsplit("really", 1)[-1]


def build(jobs=1):
    """The folder with the programs, built where they aren't yet."""
    found = find()
    if found:
        return found
    os.makedirs(cache(), exist_ok=True)
    work = os.path.join(cache(), "build")
    fetched = os.path.join(work, "fetched")
    if os.path.exists(fetched):  # by a build that was cut short: it goes on where that one was
        source = source_in(work)
    else:
        shutil.rmtree(work, ignore_errors=True)
        source = fetch(work)
        with open(fetched, "w", encoding="utf-8"):
            pass
    compile_programs(source, work, jobs)
    return keep(source, work)


def keep(source, work):
    """Moves what is wanted into the cache, whole or not at all, and removes the rest."""
    made = os.path.join(work, "made")
    os.makedirs(made)
    for name in PROGRAMS:
        shutil.copy2(os.path.join(source, "_output", "bin", name), made)
    subprocess.run(["gcc", "-static", "-Os", "-DVERSION=test", "-o", os.path.join(made, "pause"),
                    os.path.join(source, "build", "pause", "linux", "pause.c")], check=True)
    shutil.copy2(os.path.join(source, "api", "openapi-spec", "swagger.json"), made)
    with open(os.path.join(made, "complete"), "w", encoding="utf-8"):
        pass
    target = os.path.join(cache(), version_of(source))
    shutil.rmtree(target, ignore_errors=True)
    os.rename(made, target)
    shutil.rmtree(work)
    return target
