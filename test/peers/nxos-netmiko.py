"""Drives an NX-OS switch with netmiko: JSON, lines in force at once, a checkpoint and its rollback."""

import json
import sys

from netmiko import ConnectHandler

port = int(sys.argv[1])
interface = sys.argv[2]

told = {}
with ConnectHandler(
    device_type="cisco_nxos",
    host="127.0.0.1",
    port=port,
    username="linkseal",
    password="any",
    use_keys=False,
    allow_agent=False,
) as switch:
    told["prompt"] = switch.find_prompt()
    rows = json.loads(switch.send_command("show interface | json-pretty"))
    told["interfaces"] = sorted(
        row["interface"] for row in rows["TABLE_interface"]["ROW_interface"]
    )

    # A port of layer 3 is shut unless it is opened.
    def is_shut():
        shown = switch.send_command("show running-config interface | egrep '^interface |shutdown'")
        own = shown.split(f"interface {interface}\n")[1].split("interface ")[0]
        return "no shutdown" not in own

    switch.send_command("checkpoint peer")
    switch.send_config_set([f"interface {interface}", "shutdown"])
    told["shut_at_once"] = is_shut()
    told["rollback"] = "Rollback completed" in switch.send_command(
        "rollback running-config checkpoint peer atomic", read_timeout=60
    )
    told["shut_after_rollback"] = is_shut()
    told["checkpoints"] = "peer" in switch.send_command("show checkpoint summary")
    switch.send_command("no checkpoint peer")
    told["left"] = "peer" in switch.send_command("show checkpoint summary")

print(json.dumps(told))
