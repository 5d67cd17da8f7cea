"""Pushes the change on standard input with ncclient or netmiko: `peer.py NAME`."""

import json
import logging
import resource
import sys
import time
from concurrent.futures import ThreadPoolExecutor

logging.disable(logging.CRITICAL)
order = json.load(sys.stdin)


def by_ncclient(port):
    from ncclient import manager
    from ncclient.xml_ import to_ele

    with manager.connect(
        host="127.0.0.1", port=port, username="linkseal", password="any", timeout=120,
        hostkey_verify=False, look_for_keys=False, allow_agent=False,
    ) as session:
        with session.locked("candidate"):
            session.edit_config(target="candidate", config=order["edit"])
            session.dispatch(to_ele("<commit-configuration><log>bench</log></commit-configuration>"))


def by_netmiko(port):
    from netmiko import ConnectHandler

    session = ConnectHandler(
        device_type="juniper_junos", host="127.0.0.1", port=port, username="linkseal",
        password="any", fast_cli=True, conn_timeout=120, banner_timeout=120, auth_timeout=120,
    )
    session.send_config_set(order["lines"], exit_config_mode=False)
    session.commit()
    session.exit_config_mode()
    session.disconnect()


push = {"ncclient": by_ncclient, "netmiko": by_netmiko}[sys.argv[1]]
__import__(sys.argv[1])
begun = time.monotonic()
with ThreadPoolExecutor(order["workers"]) as pool:
    list(pool.map(push, order["ports"]))
seconds = time.monotonic() - begun
megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"seconds": seconds, "megabytes": megabytes}))
