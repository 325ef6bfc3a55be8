"""Clients of a server that moves: ask as fast as they can, until standard input ends, and count what fails.

usage: load.py FILE    FILE holds "host port": where the server is said to be. Prints one line: answered, failed, first failure.
Half of them keep their connection as long as the server lets them, half take a new one for each request.
"""
import http.client
import sys
import threading

address_file = sys.argv[1]
ends = threading.Event()
lock = threading.Lock()
answered, failures = 0, []


def address():
    with open(address_file) as file:
        host, port = file.read().split()
    return host, int(port)


def ask(keeps):
    global answered
    connection, connected_to = None, None
    body = b"x" * 300
    while not ends.is_set():
        where = address()
        try:
            if connection is None or not keeps or connection.sock is None:
                connection, connected_to = http.client.HTTPConnection(*where, timeout=20), where
            connection.request("POST", "/size", body)
            response = connection.getresponse()
            text = response.read()
            if response.status != 200 or text != b"300":
                raise RuntimeError(f"{response.status} {text!r}")
            if not keeps or where != connected_to and response.will_close:
                connection.close()
            with lock:
                answered += 1
        except Exception as error:
            with lock:
                failures.append(f"{type(error).__name__}: {error} at {connected_to}, {'kept' if keeps else 'new'}")
            connection = None


threads = [threading.Thread(target=ask, args=(number % 2 == 0,)) for number in range(8)]
for thread in threads:
    thread.start()
sys.stdin.read()
ends.set()
for thread in threads:
    thread.join()
print(answered, len(failures), failures[0] if failures else "")
