"""The stacks that are compared: what each needs, and how its client and its services are started."""
import os
import subprocess
from dataclasses import dataclass, field

HERE = os.path.dirname(os.path.abspath(__file__))

PYTHON = "/usr/bin/python3"  # Debian's own, whose packages these are

# Prints the versions of what FastAPI's services are made of; pydantic says whether it is compiled.
VERSIONS = """
import platform, sys
import aiohttp, fastapi, pydantic, uvicorn
names = ["python " + platform.python_version()]
names += [module.__name__ + " " + module.__version__ for module in (fastapi, uvicorn, aiohttp)]
compiled = getattr(pydantic, "compiled", True)
names.append("pydantic " + pydantic.VERSION + (" (compiled)" if compiled else " (pure Python)"))
for name in ("uvloop", "httptools"):
    try:
        names.append(name + " " + __import__(name).__version__)
    except (ImportError, AttributeError):
        pass
print(", ".join(names))
"""


CALLS, PROBES = "calls", "probes"
BOARD = "board"  # a service's own; BOARD.NAME is that of the service it calls


@dataclass
class Service:
    """A process that listens. environment and command may hold {NAME}, the path of a service's socket."""
    name: str
    role: str  # "entry" or "worker"
    command: list
    environment: dict = field(default_factory=dict)
    handed: tuple = (CALLS,)  # what it inherits; nothing: it binds the path itself


@dataclass
class Stack:
    name: str
    title: str
    packages: list   # Debian's, for the row when it isn't there
    services: list
    client: list
    environment: dict = field(default_factory=dict)  # the client's
    handed: tuple = ()                               # to the client
    # The entry and the worker of a scenario's kind, where they aren't always the same two.
    pairs: dict = field(default_factory=dict)
    cold: str = "worker"  # the service that is started cold; None where it can't inherit its socket
    missing: str = None
    versions: str = ""

    def pair(self, kind):
        entry, worker = self.pairs.get(kind, ("entry", "worker"))
        return (None if kind == "hop" else entry), worker


def chains_stack(build):
    """Each Chainlet is a process, with what the daemon would hand to it: sockets, and the boards of slots."""
    programs = os.path.join(build, "chains", ".chains", "bin")

    def chainlet(name, role, *callees):
        return Service(name, role, [os.path.join(programs, name)],
                       {f"CHAINS_{callee.upper()}_URL": f"unix:{{{callee}}}" for callee in callees},
                       (CALLS, PROBES, BOARD, *(f"{BOARD}.{callee}" for callee in callees)))

    services = []
    for kind in ("echo", "bytes", "numbers"):
        services.append(chainlet(f"{kind}_worker", "worker"))
        services.append(chainlet(f"{kind}_entry", "entry", f"{kind}_worker"))
    services.append(chainlet("fan_entry", "entry", "echo_worker"))
    caller = chainlet("caller", "client", "echo_entry", "echo_worker", "bytes_entry", "numbers_entry", "fan_entry")
    echo = ("echo_entry", "echo_worker")
    return Stack("chains", "Chains", [], services, caller.command, caller.environment, caller.handed,
                 pairs={"hop": echo, "small": echo, "echo": echo, "bytes": ("bytes_entry", "bytes_worker"),
                        "doubles": ("numbers_entry", "numbers_worker"), "fan": ("fan_entry", "echo_worker")},
                 cold="echo_worker")


def fastapi_stack(build):
    packages = ["python3-fastapi", "python3-uvicorn", "python3-aiohttp"]
    service = [PYTHON, os.path.join(HERE, "fastapi", "service.py")]
    programs = os.path.join(build, "chains", ".chains", "bin")
    kinds = ("echo", "bytes", "numbers", "fan")
    environment = {f"CHAINS_FASTAPI_{kind.upper()}_URL": "unix:{entry}" for kind in kinds}
    environment["CHAINS_FASTAPI_HOP_URL"] = "unix:{worker}"
    stack = Stack("fastapi", "FastAPI", packages,
                  [Service("worker", "worker", service), Service("entry", "entry", service + ["{worker}"])],
                  [os.path.join(programs, "fastapi_caller"), "--listen", "unix:{client}"], environment)
    found = None
    if os.path.exists(PYTHON):
        found = subprocess.run([PYTHON, "-c", VERSIONS], capture_output=True, text=True, check=False)
    if found is None or found.returncode != 0:
        stack.missing = ", ".join(packages)
    else:
        stack.versions = found.stdout.strip()
    return stack


def stacks(build):
    """All of them; those that can't run have `missing`."""
    def program(peer, name):
        return os.path.join(build, peer, name)

    def plain(name, title, packages, service, client, **more):
        return Stack(name, title, packages,
                     [Service("worker", "worker", [program(*service)], **more),
                      Service("entry", "entry", [program(*service), "{worker}"], **more)], client)

    floor = plain("floor", "bare socket", [], ("floor", "service"), [program("floor", "client"), "{entry}", "{worker}"])
    grpc = ["libgrpc++-dev", "protobuf-compiler-grpc"]
    found = [floor, chains_stack(build)]
    for way in ("sync", "callback"):
        found.append(plain(f"grpc_{way}", f"gRPC C++ {way}", grpc, ("grpc", f"{way}_service"),
                           [program("grpc", "client"), "{entry}", "{worker}", way]))
    found.append(plain("capnproto", "Cap'n Proto", ["capnproto", "libcapnp-dev"], ("capnproto", "service"),
                       [program("capnproto", "client"), "{entry}", "{worker}"]))
    nng = plain("nng", "nng", ["libnng-dev"], ("nng", "service"), [program("nng", "client"), "{entry}", "{worker}"],
                handed=())
    for service in nng.services:
        service.command.insert(1, "{" + service.name + "}")
    nng.cold = None
    found.append(nng)
    found.append(fastapi_stack(build))
    for stack in found:
        programs = [stack.client[0]] + [service.command[0] for service in stack.services]
        if stack.missing is None and not all(os.path.exists(path) for path in programs):
            stack.missing = ", ".join(stack.packages) or "not built"
    return found
