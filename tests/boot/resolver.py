#!/usr/bin/env python3
"""A DNS resolver on 127.0.0.1:53 that knows one name, for tests in a network namespace: resolver.py NAME ADDRESS."""
import socket
import struct
import sys


def answer(query, name, address):
    """The response to one query: an A record for the name, NXDOMAIN for any other."""
    labels, at = [], 12
    while query[at]:
        labels.append(query[at + 1:at + 1 + query[at]].decode())
        at += 1 + query[at]
    kind, = struct.unpack(">H", query[at + 1:at + 3])
    question = query[12:at + 5]
    known = ".".join(labels).lower() == name
    records = 1 if known and kind == 1 else 0
    header = query[:2] + struct.pack(">HHHHH", 0x8180 if known else 0x8183, 1, records, 0, 0)
    record = struct.pack(">HHHIH", 0xc00c, 1, 1, 60, 4) + socket.inet_aton(address)
    return header + question + record * records


def main():
    name, address = sys.argv[1:]
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 53))
    print("ready", flush=True)
    while True:
        query, sender = server.recvfrom(512)
        try:
            server.sendto(answer(query, name, address), sender)
        except (IndexError, struct.error, UnicodeDecodeError):
            pass  # not a query


main()
