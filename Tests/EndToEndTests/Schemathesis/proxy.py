"""Forwards a TCP port to another, bytes as they come, each connection from a loopback address of its own.

Failed logins are limited for each address, and schemathesis tries wrong tokens on every call. Prints the port; ends with its input.
"""
import itertools, os, socket, sys, threading


def pump(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
    except OSError:
        pass
    for end in (source, sink):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def accept(listener, target):
    for number in itertools.count(1):
        client, _ = listener.accept()
        address = f"127.{1 + number // 62500 % 250}.{number // 250 % 250}.{1 + number % 250}"
        try:
            server = socket.create_connection(target, source_address=(address, 0))
        except OSError:
            client.close()
            continue
        for pair in ((client, server), (server, client)):
            threading.Thread(target=pump, args=pair, daemon=True).start()


host, port = sys.argv[1].rsplit(":", 1)
listener = socket.create_server(("127.0.0.1", 0), backlog=64)
print(listener.getsockname()[1], flush=True)
threading.Thread(target=accept, args=(listener, (host, int(port))), daemon=True).start()
sys.stdin.read()
os._exit(0)
