"""Process 1 of a machine of the test cluster: `machine.py FOLDER NAME`, in namespaces of its own (see machines.py).

It waits for a line on stdin, which says that its wire is there; then sets up its mounts and network, and keeps its services
running. It ends by being killed, and with it all that it has started: that is how a node's power is cut.
"""
import os
import resource
import subprocess
import sys
import time

from layout import CONTROL, Layout
from services import services_of

# What kubelet insists on. These are the whole computer's; so in its machine it is shown files that say so.
SYSCTLS = {"vm/overcommit_memory": "1", "vm/panic_on_oom": "0", "kernel/panic": "10", "kernel/panic_on_oops": "1",
           "kernel/keys/root_maxkeys": "1000000", "kernel/keys/root_maxbytes": "25000000"}
BACKOFF_S = 1


def run(*words):
    subprocess.run(words, check=True, stdin=subprocess.DEVNULL)


def set_up_mounts(layout, name):
    """Own folders where containers' tools have theirs fixed; they go with the machine."""
    run("mount", "--make-rshared", "/")
    for folder in ("/run", "/var/lib"):
        run("mount", "-t", "tmpfs", "-o", "mode=755", "none", folder)
    logs = layout.file(name, "var-log")
    os.makedirs(logs, exist_ok=True)
    run("mount", "--bind", logs, "/var/log")
    os.makedirs("/run/sysctl")
    for key, value in SYSCTLS.items():
        shown = os.path.join("/run/sysctl", key.replace("/", "."))
        with open(shown, "w", encoding="utf-8") as file:
            file.write(value + "\n")
        run("mount", "--bind", shown, os.path.join("/proc/sys", key))


def set_up_network(layout, name):
    run("ip", "link", "set", "lo", "up")
    run("ip", "address", "add", f"{layout.address_of(name)}/24", "dev", "eth0")
    run("ip", "link", "set", "eth0", "up")
    # Services' addresses are nowhere, but a packet needs a route to get as far as the rules that rewrite it.
    run("ip", "route", "add", "default", "via", layout.gateway)
    for node in layout.nodes:
        if node != name:
            run("ip", "route", "add", layout.pods_of(node), "via", layout.address_of(node))
    with open("/proc/sys/net/ipv4/ip_forward", "w", encoding="utf-8") as file:
        file.write("1")


def start(layout, name, service, command):
    with open(layout.file(name, "log", f"{service}.log"), "ab") as log:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log).pid


def keep_running(layout, name):
    """Starts the services, and again whichever ends; buries orphans, as process 1 has to."""
    commands = services_of(layout, name)
    running = {start(layout, name, service, command): service for service, command in commands.items()}
    while True:
        pid, status = os.wait()
        service = running.pop(pid, None)
        if service:
            print(f"{service} ended with {os.waitstatus_to_exitcode(status)}; again", flush=True)
            time.sleep(BACKOFF_S)
            running[start(layout, name, service, commands[service])] = service


def main():
    layout, name = Layout(sys.argv[1]), sys.argv[2]
    if not sys.stdin.readline():
        return 1
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    os.makedirs(layout.file(name, "log"), exist_ok=True)
    if name != CONTROL:
        set_up_mounts(layout, name)
    set_up_network(layout, name)
    keep_running(layout, name)
    return 0


sys.exit(main())
