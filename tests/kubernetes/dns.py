"""The cluster's DNS: `dns.py FOLDER`. Answers A questions about Services, on UDP alone.

NAME.NAMESPACE.svc.cluster.local is a Service's ClusterIP or, where it is headless, the addresses of its ready pods; asked of
the API server for each question, so it is never stale. What it doesn't know doesn't exist: nothing is passed on.
"""
import http.client
import json
import socket
import ssl
import struct
import sys
import urllib.parse
from concurrent.futures import ThreadPoolExecutor

from layout import DOMAIN, Layout

TTL_S = 1
A, IN = 1, 1
NO_ERROR, SERVER_FAILURE, NO_SUCH_NAME = 0, 2, 3
MOST_BYTES = 512  # in a datagram, to a client that doesn't offer more


class Api:
    def __init__(self, layout):
        self.address = urllib.parse.urlsplit(layout.api).netloc
        self.context = ssl.create_default_context(cafile=layout.file("certificates", "ca.crt"))
        self.context.load_cert_chain(layout.file("certificates", "dns.crt"), layout.file("certificates", "dns.key"))

    def get(self, path):
        """The object; None: there is none."""
        connection = http.client.HTTPSConnection(self.address, context=self.context, timeout=4)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            said = answer.read()
        finally:
            connection.close()
        if answer.status == 404:
            return None
        if answer.status != 200:
            raise OSError(f"{path}: {answer.status}")
        return json.loads(said)


def addresses_of(api, name):
    """The addresses that a name stands for; None: it stands for nothing."""
    labels = name.lower().removesuffix("." + DOMAIN).split(".")
    if not name.lower().endswith("." + DOMAIN) or len(labels) != 3 or labels[2] != "svc":
        return None
    service, namespace = (urllib.parse.quote(label, safe="") for label in labels[:2])
    found = api.get(f"/api/v1/namespaces/{namespace}/services/{service}")
    if not found:
        return None
    if found["spec"].get("clusterIP") != "None":
        return [found["spec"]["clusterIP"]]
    endpoints = api.get(f"/api/v1/namespaces/{namespace}/endpoints/{service}") or {}
    return [address["ip"] for subset in endpoints.get("subsets") or [] for address in subset.get("addresses") or []]


def read_question(packet):
    """(name, type, class, where it ends)"""
    labels, place = [], 12
    while packet[place]:
        size = packet[place]
        labels.append(packet[place + 1:place + 1 + size].decode("ascii"))
        place += 1 + size
    kind, group = struct.unpack_from("!HH", packet, place + 1)
    return ".".join(labels), kind, group, place + 5


def answer(api, packet):
    name, kind, group, end = read_question(packet)
    try:
        found = addresses_of(api, name)
        code = NO_SUCH_NAME if found is None else NO_ERROR
    except OSError as why:
        print(f"{name}: {why}", flush=True)
        found, code = [], SERVER_FAILURE
    told = found if found and (kind, group) == (A, IN) else []
    records = b"".join(struct.pack("!HHHIH", 0xC00C, A, IN, TTL_S, 4) + socket.inet_aton(address) for address in told)
    most = (MOST_BYTES - end) // 16
    cut = len(told) > most
    wishes = struct.unpack_from("!H", packet, 2)[0]
    flags = 0x8400 | (wishes & 0x0100) | (0x0200 if cut else 0) | code
    return packet[:2] + struct.pack("!HHHHH", flags, 1, min(len(told), most), 0, 0) + packet[12:end] + records[:most * 16]


def main():
    layout = Layout(sys.argv[1])
    api = Api(layout)
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind((layout.control, 53))

    def serve(packet, peer):
        try:
            server.sendto(answer(api, packet), peer)
        except (IndexError, struct.error, UnicodeDecodeError):
            pass  # no question
    with ThreadPoolExecutor(16) as pool:
        while True:
            pool.submit(serve, *server.recvfrom(MOST_BYTES))


if __name__ == "__main__":
    main()
