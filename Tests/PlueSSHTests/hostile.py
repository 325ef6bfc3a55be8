"""Clients that ask for what there is not, or do what they must not. Paramiko is an SSH of its own, written by others.

hostile.py WHAT PORT KEY [KEY]: prints what came of it, one line for each attempt.
"""
import logging
import socket
import sys
import threading
import time

import paramiko
from paramiko.common import cMSG_CHANNEL_OPEN, cMSG_GLOBAL_REQUEST, cMSG_SERVICE_REQUEST
from paramiko.message import Message

logging.disable(logging.CRITICAL)
what, port, keys = sys.argv[1], int(sys.argv[2]), [paramiko.Ed25519Key.from_private_key_file(k) for k in sys.argv[3:]]


def say(*words):
    print(*words, flush=True)


def connected():
    transport = paramiko.Transport(socket.create_connection(("127.0.0.1", port), timeout=20))
    transport.start_client(timeout=20)
    return transport


def logged_in():
    transport = connected()
    transport.auth_publickey("mallory", keys[0])
    return transport


def attempt(name, work):
    """Accepted or refused; a refusal is an exception, or False."""
    try:
        say(name, "refused" if work() is False else "accepted")
    except Exception as error:
        say(name, "refused")


def ended(transport, within=20):
    deadline = time.time() + within
    while transport.is_active() and time.time() < deadline:
        time.sleep(0.02)
    return not transport.is_active()


def password():
    transport = connected()
    transport.auth_timeout = 10
    for number in range(10):
        try:
            transport.auth_password("root", "hunter%d" % number, fallback=False)
            say("accepted")
        except paramiko.BadAuthenticationType as error:
            say("only", *error.allowed_types)
        except Exception:
            break
    say("ended" if ended(transport) else "open")


class Forged(paramiko.PKey):
    """Shows one key, and signs with another."""

    def __init__(self, shown, used):
        self.shown, self.used, self.public_blob = shown, used, None

    def get_name(self):
        return self.shown.get_name()

    def asbytes(self):
        return self.shown.asbytes()

    def sign_ssh_data(self, data, algorithm=None):
        return self.used.sign_ssh_data(data)


def forged():
    transport = connected()
    transport.auth_timeout = 3
    attempt("login", lambda: transport.auth_publickey("root", Forged(keys[0], keys[1])))
    say("authenticated" if transport.is_authenticated() else "nobody")


def unauthenticated():
    """A session without a login."""
    transport = connected()
    message = Message()
    message.add_byte(cMSG_CHANNEL_OPEN)
    message.add_string("session")
    for number in (0, 1 << 20, 1 << 15):
        message.add_int(number)
    transport._send_message(message)
    say("ended" if ended(transport) else "open")


def services():
    """Asks for services on and on, which costs an answer each, and never logs in."""
    transport = connected()
    try:
        for _ in range(100_000):
            message = Message()
            message.add_byte(cMSG_SERVICE_REQUEST)
            message.add_string("ssh-userauth")
            transport._send_message(message)
    except Exception:
        pass
    say("ended" if ended(transport) else "open")


def features():
    """Everything that is not a command or a shell."""
    transport = logged_in()
    session = transport.open_session
    attempt("sftp", lambda: session().invoke_subsystem("sftp"))
    attempt("x11", lambda: session().request_x11())
    attempt("forward", lambda: transport.open_channel("direct-tcpip", ("127.0.0.1", 22), ("127.0.0.1", 1)))
    attempt("listen", lambda: transport.request_port_forward("127.0.0.1", 0))
    attempt("agent", lambda: transport.open_channel("auth-agent@openssh.com"))

    def twice():
        channel = session()
        channel.exec_command("status 0")
        channel.exec_command("status 0")

    attempt("twice", twice)
    channel = session()
    channel.exec_command("say still here")
    say(channel.makefile().read().decode().strip())
    transport.close()


def sessions():
    transport = logged_in()
    opened = []  # Kept: paramiko closes what nobody has any more.
    try:
        while len(opened) < 50:
            channel = transport.open_session(timeout=10)
            channel.exec_command("wait")
            channel.recv(7)
            opened.append(channel)
    except Exception:
        pass
    say(len(opened))
    transport.close()


def packets():
    """Takes packets of 10 bytes, of which nothing is left for content."""
    paramiko.Transport._sanitize_packet_size = lambda self, size: size
    transport = logged_in()
    for size in (1, 10, 100, 300):
        attempt(size, lambda: transport.open_session(max_packet_size=size).exec_command("say x"))
    transport.close()


def window():
    """Sends more than the server has said it takes, into a shell that is busy."""
    transport = logged_in()
    channel = transport.open_session()
    channel.invoke_shell()
    channel.send("wait\n")
    channel.recv(100)
    try:
        while transport.is_active():
            channel.out_window_size = 1 << 30
            channel.send(b"x" * 30_000)
    except Exception:
        pass
    say("ended" if ended(transport) else "open")


def deaf():
    """Asks on and on, and reads no answer."""
    transport = logged_in()
    transport.packetizer.read_message = lambda: threading.Event().wait()
    time.sleep(0.3)
    transport.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    transport.sock.settimeout(20)
    count = 0
    try:
        while count < 2_000_000:
            message = Message()
            message.add_byte(cMSG_GLOBAL_REQUEST)
            message.add_string("keepalive@openssh.com")
            message.add_boolean(True)
            transport.packetizer.send_message(message)
            count += 1
    except Exception:
        pass
    say("ended" if count < 2_000_000 else "open")


globals()[what]()
