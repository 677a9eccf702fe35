"""Starting and ending machines of the test cluster, from this computer's side, and what joins them.

A machine is one process tree in mount, network, process, IPC and host name namespaces of its own. Killing its first process
ends all of it, whatever it has started; FOLDER/NAME/process says which it is.
"""
import contextlib
import glob
import os
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
NETWORKS = range(200, 250)


def run(*words):
    done = subprocess.run(words, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


def wait_until(condition, what, limit_s):
    """Calls condition until it gives something true, and returns that."""
    end = time.monotonic() + limit_s
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > end:
            raise RuntimeError(f"not within {limit_s} s: {what}")
        time.sleep(0.05)


def claim_network():
    """Makes the bridge of the first network that nobody has, which claims it; gives its number."""
    used = run("ip", "-4", "route", "show", "table", "all")
    for number in NETWORKS:
        if f" 10.{number}." in " " + used:
            continue
        with contextlib.suppress(RuntimeError):
            run("ip", "link", "add", f"chk-{number}", "type", "bridge")
            return number
    raise RuntimeError("no network is free: none of 10.200.0.0/16 to 10.249.0.0/16")


def join_networks(layout):
    """This computer's address on the bridge, and its routes to pods and Services; they go with the bridge."""
    run("ip", "address", "add", f"{layout.gateway}/24", "dev", layout.bridge)
    run("ip", "link", "set", layout.bridge, "up")
    run("ip", "route", "add", layout.services, "via", layout.control)
    for node in layout.nodes:
        run("ip", "route", "add", layout.pods_of(node), "via", layout.address_of(node))


def started_at(pid):
    """When a process was started, in ticks: with its number, that names it for good. None: it has ended."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return None if fields[0] in "ZX" else fields[19]
    except OSError:
        return None


def child_of(pid):
    with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{pid}/children", encoding="utf-8") as file:
        children = file.read().split()
        return int(children[0]) if children else None
    return None


def recorded(layout, name):
    """The machine's first process as this computer counts; None: it isn't running."""
    try:
        with open(layout.file(name, "process"), encoding="utf-8") as file:
            pid, at = file.read().split()
    except (OSError, ValueError):
        return None
    return int(pid) if started_at(pid) == at else None


def cgroup_folders(layout):
    return glob.glob(f"/sys/fs/cgroup/*/{layout.cgroup}") + glob.glob(f"/sys/fs/cgroup/{layout.cgroup}")


def make_cgroup(layout, name):
    """kubelet wants the cgroup below which it makes its own to be there."""
    roots = ["/sys/fs/cgroup"] if os.path.exists("/sys/fs/cgroup/cgroup.controllers") else glob.glob("/sys/fs/cgroup/*")
    for root in roots:
        os.makedirs(root + layout.cgroup_of(name), exist_ok=True)


def remove_cgroup(folder):
    """With all below it, once the kernel has let go of the last process there."""
    def is_gone():
        for path, _, _ in os.walk(folder, topdown=False):
            try:
                os.rmdir(path)
            except OSError:
                return False
        return True
    wait_until(is_gone, f"{folder} to be empty", 30)


def start(layout, name):
    """Starts a machine that isn't running, and returns once its services are being started."""
    if recorded(layout, name):
        return
    os.makedirs(layout.file(name), exist_ok=True)
    if name in layout.nodes:
        make_cgroup(layout, name)
    with open(layout.file(name, "machine.log"), "ab") as log:
        outer = subprocess.Popen(
            ["unshare", "--mount", "--net", "--pid", "--ipc", "--uts", "--fork", "--mount-proc", "--kill-child=KILL",
             sys.executable, "-B", os.path.join(HERE, "machine.py"), layout.folder, name],
            stdin=subprocess.PIPE, stdout=log, stderr=log, cwd="/", start_new_session=True)
    first = wait_until(lambda: child_of(outer.pid), f"{name} to start", 30)
    with open(layout.file(name, "process"), "w", encoding="utf-8") as file:
        file.write(f"{first} {started_at(first)}\n")
    link = layout.link_of(name)
    run("ip", "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", str(first))
    run("ip", "link", "set", link, "master", layout.bridge, "up")
    outer.stdin.write(b"go\n")
    outer.stdin.close()


def stop(layout, name):
    """Ends a machine as if its power were cut: every process of it at once, and its wire."""
    first = recorded(layout, name)
    if first:
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: not started_at(first), f"{name} to end", 60)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(layout.file(name, "process"))
    with contextlib.suppress(RuntimeError):
        run("ip", "link", "delete", layout.link_of(name))
    for folder in cgroup_folders(layout) if name in layout.nodes else []:
        remove_cgroup(os.path.join(folder, name))
