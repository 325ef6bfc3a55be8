"""Clients of a server that moves: ask as fast as they can, until standard input ends, and count what fails.

usage: load.py FILE [AUTHORITY]    FILE has a line "host port time" for each place of the server, the newest last, and from when on it may
                                   have been there; by TLS when there is an authority to believe.
Prints one line: answered, failed, first failure.
A server takes clients at its old place for 400 ms. Who was refused later than that is not counted as failed: on a busy machine a client may
pause for longer between the look into the file and the connection.
Half of them keep their connection as long as the server lets them, half take a new one for each request.
"""
import http.client
import ssl
import sys
import threading
import time

address_file = sys.argv[1]
trust = ssl.create_default_context(cafile=sys.argv[2]) if len(sys.argv) > 2 else None
ends = threading.Event()
lock = threading.Lock()
answered, failures = 0, []


def places():
    with open(address_file) as file:
        return [line.split() for line in file]


def address():
    number, (host, port, _) = list(enumerate(places()))[-1]
    return number, host, int(port)


def came_late(number, refused):
    """Whether the server had left the place long before."""
    deadline = time.time() + 10
    while time.time() < deadline:
        later = places()[number + 1:]
        if later:
            return refused - float(later[0][2]) > 0.4
        time.sleep(0.01)
    return False


def connect(_, host, port):
    if trust is None:
        return http.client.HTTPConnection(host, port, timeout=20)
    return http.client.HTTPSConnection(host, port, timeout=20, context=trust)


def ask(keeps):
    global answered
    connection, connected_to = None, None
    body = b"x" * 300
    while not ends.is_set():
        where = address()
        try:
            if connection is None or not keeps or connection.sock is None:
                connection, connected_to = connect(*where), where
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
            refused = time.time()
            if isinstance(error, ConnectionRefusedError) and came_late(where[0], refused):
                connection = None
                continue
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
