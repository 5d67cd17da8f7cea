"""Drives an IOS XR router with netmiko: a trial commit under a label, and its confirm."""

import json
import sys

from netmiko import ConnectHandler

port = int(sys.argv[1])
interface = sys.argv[2]

told = {}
with ConnectHandler(
    device_type="cisco_xr",
    host="127.0.0.1",
    port=port,
    username="linkseal",
    password="any",
    use_keys=False,
    allow_agent=False,
) as router:
    router.config_mode()
    router.send_config_set([f"interface {interface}", "description peer"], exit_config_mode=False)
    router.commit(label="ls-0123456789abcdef", confirm=True, confirm_delay=60)
    listed = router.send_command("do show configuration commit list 20 detail", expect_string=r"#")
    told["listed"] = "Label: ls-0123456789abcdef" in listed
    router.commit()
    try:
        router.commit(comment="ours", confirm=True, confirm_delay=60)
    except ValueError as error:
        told["comment_of_a_trial"] = str(error)
    said = router.send_command("commit confirmed 60 comment ours", expect_string=r"#")
    told["typed_all_the_same"] = "% Invalid input" in said
    router.exit_config_mode()
    told["kept"] = "description peer" in router.send_command("show running-config interface")

print(json.dumps(told))
