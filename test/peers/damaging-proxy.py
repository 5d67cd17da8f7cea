"""An SSH server before an SSH server: it damages what a router answers, octet for octet.

Arguments: the port of the router, the channel (shell or netconf), a seed. It prints its own port
and the fingerprint of its host key; each line "on" or "off" of its input is answered with the
number of answers that it has damaged so far. What it sends is as long as what it read, so that the
framing of NETCONF and the last row, the prompt, stay as they are.
"""

import base64
import hashlib
import random
import re
import socket
import sys
import threading

import paramiko

router, kind, seed = int(sys.argv[1]), sys.argv[2], sys.argv[3]
prng = random.Random(seed)
lock = threading.Lock()
state = {"on": False, "left": 0, "done": 0}
marks = "?%~"
# A damaged configuration is another one that the router may have as well.
config = re.compile(r"^ ?(?:interface |router bgp|route-map |mka policy|key chain|macsec)", re.M)


def garbled(text):
    at = prng.randrange(len(text))
    return text[:at] + prng.choice(marks) + text[at + 1 :]


def damaged_rows(text):
    rows = text.split("\r\n")
    # The first row is the echo, and the last one the prompt.
    inner = [at for at, row in enumerate(rows[1:-1], 1) if row.strip()]
    if len(inner) < 2 or config.search(text):
        return text
    at = prng.choice(inner[:-1])
    match prng.randrange(4):
        case 0:
            rows[at] = " " * len(rows[at])
        case 1:
            rows[at], rows[at + 1] = rows[at + 1], rows[at]
        case 2:
            row, width = rows[at + 1], len(rows[at])
            rows[at] = row[:width].ljust(width) if len(row) <= width else garbled(rows[at])
        case _:
            rows[at] = garbled(rows[at])
    return "\r\n".join(rows)


def damaged_reply(reply):
    leaves = list(re.finditer(r"<([\w-]+)>([^<>]+)</\1>", reply))
    if re.search("<hello|<configuration[ >]", reply) or not leaves:
        return reply
    leaf = prng.choice(leaves)
    name, text = leaf.groups()
    # Nothing in a list of routes says how long it is: an entry is garbled, and none is lost.
    match 3 if "<route-information" in reply else prng.randrange(4):
        case 0:
            other = " " * len(leaf.group())
        case 1:
            other = f"<y{name[1:]}>{text}</y{name[1:]}>"
        case 2 if len(text) > 7:
            other = f"<{name}><!--{text[7:]}--></{name}>"
        case _:
            other = f"<{name}>{garbled(text.replace('&', '.'))}</{name}>"
    return reply[: leaf.start()] + other + reply[leaf.end() :]


def passed(octets):
    """Damages one of the next answers, and a few more."""
    if not state["on"]:
        return octets
    text = octets.decode("latin-1")
    # Several replies may come at once; the frames between them stay.
    parts = re.split(r"(\n##\n|\]\]>\]\]>)", text) if kind == "netconf" else [text]
    for at, part in enumerate(parts):
        is_answer = part.count("\r\n") > 1 if kind == "shell" else "<rpc-reply" in part
        if not is_answer:
            continue
        state["left"] -= 1
        if state["left"] != 0 and prng.random() > 0.05:
            continue
        parts[at] = damaged_rows(part) if kind == "shell" else damaged_reply(part)
        state["done"] += parts[at] != part
    other = "".join(parts).encode("latin-1")
    return other if len(other) == len(octets) else octets


def pump(source, sink, change):
    try:
        while octets := source.recv(65536):
            with lock:
                octets = change(octets)
            sink.sendall(octets)
    except OSError:
        pass
    source.close()
    sink.close()


class Front(paramiko.ServerInterface):
    """Opens the same channel at the router before it says that there is one."""

    def __init__(self):
        self.behind = paramiko.Transport(("127.0.0.1", router))
        self.behind.connect(username="linkseal", password="any")

    def get_allowed_auths(self, username):
        return "publickey"

    def check_auth_publickey(self, username, key):
        return paramiko.AUTH_SUCCESSFUL

    def check_channel_request(self, kind, chanid):
        return paramiko.OPEN_SUCCEEDED

    def check_channel_pty_request(self, channel, *terminal):
        return True

    def check_channel_shell_request(self, channel):
        begin = lambda one: one.get_pty() or one.invoke_shell()
        return kind == "shell" and self.join(channel, begin)

    def check_channel_subsystem_request(self, channel, name):
        return kind == name and self.join(channel, lambda one: one.invoke_subsystem(name))

    def join(self, channel, begin):
        router_end = self.behind.open_session()
        begin(router_end)
        for way in ((channel, router_end, bytes), (router_end, channel, passed)):
            threading.Thread(target=pump, args=way, daemon=True).start()
        return True


def serve(client):
    front = paramiko.Transport(client)
    front.add_server_key(host_key)
    server = Front()
    front.start_server(server=server)
    front.join()
    server.behind.close()


def accept():
    while True:
        client, _ = listener.accept()
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=serve, args=(client,), daemon=True).start()


host_key = paramiko.ECDSAKey.generate()
listener = socket.create_server(("127.0.0.1", 0))
digest = base64.b64encode(hashlib.sha256(host_key.asbytes()).digest()).decode().rstrip("=")
print(listener.getsockname()[1], f"SHA256:{digest}", flush=True)
threading.Thread(target=accept, daemon=True).start()
for line in sys.stdin:
    with lock:
        state["on"] = line.strip() == "on"
        state["left"] = prng.randint(1, 12)
        print(state["done"], flush=True)
