#!/usr/bin/env python3
"""A service whose answers are odd: what ODD says, as raw bytes on the sockets that were handed over."""
import os
import signal
import socket
import threading

ANSWERS = {
    "garbage": [b"this is no HTTP\r\n\r\n"],
    "nothing": [],
    "cut": [b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this"],
    "cut_chunked": [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n"],
    "bad_chunk": [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\nxyz\r\n"],
    "until_end": [b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nto the ", b"end"],
    "interim": [b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"],
    "no_content": [b"HTTP/1.1 204 No Content\r\n\r\n"],
    "hops": [b"HTTP/1.1 200 OK\r\nConnection: keep-alive, X-Secret\r\nX-Secret: 1\r\nX-Kept: 1\r\n"
             b"Keep-Alive: timeout=5\r\nContent-Length: 2\r\n\r\nok"],
    "endless_head": [b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 1000],
}

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: "
ANSWERS |= {
    "cut_events": [CHUNKED + b"text/event-stream\r\n\r\n7\r\ndata: {\r\n"],
    "bad_events": [CHUNKED + b"text/event-stream\r\n\r\nxyz\r\n"],
    "cut_lines": [CHUNKED + b"application/x-ndjson\r\n\r\n6\r\n{}\n{\"i\r\n9\r\ntem"],
    "cut_json": [CHUNKED + b"application/json\r\n\r\n6\r\n{}\n{\"i\r\n"],
    "cut_compressed": [CHUNKED + b"text/event-stream\r\nContent-Encoding: gzip\r\n\r\n3\r\nabc\r\n"],
    "cut_sized": [b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\nContent-Type: text/event-stream\r\n\r\ndata: {"],
}

# One item at once, the other when there is the file GO_ON.
STREAMS = {"stream": b"application/x-ndjson", "events": b"text/event-stream"}


def read_request(connection):
    data = b""
    while b"\r\n\r\n" not in data:
        part = connection.recv(65536)
        if not part:
            return False
        data += part
    return True


def serve(listener, answer):
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=answer, args=(connection,), daemon=True).start()


def answer_call(connection):
    with connection:
        if not read_request(connection):
            return
        if os.environ["ODD"] in STREAMS:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: " + STREAMS[os.environ["ODD"]] +
                               b"\r\nTransfer-Encoding: chunked\r\n\r\n7\r\n{\"n\":1}\r\n")
            while not os.path.exists(os.environ["GO_ON"]):
                threading.Event().wait(0.01)
            connection.sendall(b"7\r\n{\"n\":2}\r\n0\r\n\r\n")
            return
        for part in ANSWERS[os.environ["ODD"]]:
            connection.sendall(part)


def answer_probe(connection):
    with connection:
        while read_request(connection):
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


signal.signal(signal.SIGTERM, signal.SIG_IGN if "STUBBORN" in os.environ else lambda *_: os._exit(0))
calls, probes = socket.socket(fileno=3), socket.socket(fileno=4)
for made in (calls, probes):
    made.setblocking(True)
threading.Thread(target=serve, args=(probes, answer_probe), daemon=True).start()
threading.Thread(target=serve, args=(calls, answer_call), daemon=True).start()
threading.Event().wait()
