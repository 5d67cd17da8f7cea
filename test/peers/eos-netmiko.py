"""Drives an EOS router with netmiko: queries, direct configuration, and a session."""

import json
import sys

from netmiko import ConnectHandler

port = int(sys.argv[1])
interface = sys.argv[2]

told = {}
with ConnectHandler(
    device_type="arista_eos",
    host="127.0.0.1",
    port=port,
    username="linkseal",
    password="any",
    use_keys=False,
    allow_agent=False,
) as router:
    router.enable()
    told["prompt"] = router.find_prompt()
    version = json.loads(router.send_command("show version | json"))
    told["model"] = version["modelName"]
    # The list is longer than a page.
    told["interfaces"] = sorted(
        json.loads(router.send_command("show interfaces | json"))["interfaces"]
    )

    def is_shut():
        return "shutdown" in router.send_command("show running-config").split(
            f"interface {interface}\n"
        )[1].split("!")[0]

    router.send_config_set([f"interface {interface}", "shutdown"])
    told["shut_at_once"] = is_shut()
    router.send_config_set([f"interface {interface}", "no shutdown"])
    told["open_at_once"] = not is_shut()
    router.config_mode(config_command="configure session peer")
    router.send_config_set(
        [f"interface {interface}", "shutdown"],
        enter_config_mode=False,
        exit_config_mode=False,
    )
    told["shut_before_commit"] = is_shut()
    router.send_command("commit", expect_string=r"#")
    told["shut_after_commit"] = is_shut()
    told["refused"] = router.send_command("configure session peer").strip()

print(json.dumps(told))
