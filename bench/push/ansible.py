"""Pushes the change on standard input with Ansible's own NETCONF module."""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time

order = json.load(sys.stdin)
play = [
    {
        "hosts": "all",
        "gather_facts": False,
        "tasks": [
            {
                "name": "the change",
                "ansible.netcommon.netconf_config": {
                    "content": order["edit"],
                    "target": "candidate",
                    "lock": "always",
                    "commit": True,
                },
            }
        ],
    }
]
hosts = {
    f"edge{index}": {"ansible_host": "127.0.0.1", "ansible_port": port}
    for index, port in enumerate(order["ports"])
}
common = {
    "ansible_user": "linkseal",
    "ansible_password": "any",
    "ansible_connection": "ansible.netcommon.netconf",
    "ansible_network_os": "junipernetworks.junos.junos",
    "ansible_python_interpreter": sys.executable,
}
settings = {
    "ANSIBLE_FORKS": str(order["workers"]),
    "ANSIBLE_HOST_KEY_CHECKING": "False",
    "ANSIBLE_NOCOWS": "1",
    "ANSIBLE_PERSISTENT_CONNECT_TIMEOUT": "300",
    "ANSIBLE_PERSISTENT_COMMAND_TIMEOUT": "300",
    "ANSIBLE_DEPRECATION_WARNINGS": "False",
    "LC_ALL": "C.UTF-8",
}
with tempfile.TemporaryDirectory() as folder:
    with open(os.path.join(folder, "hosts.json"), "w", encoding="utf-8") as file:
        json.dump({"all": {"hosts": hosts, "vars": common}}, file)
    with open(os.path.join(folder, "play.json"), "w", encoding="utf-8") as file:
        json.dump(play, file)
    argv = ["/usr/bin/ansible-playbook", "-i", "hosts.json", "play.json"]
    begun = time.monotonic()
    ended = subprocess.run(
        argv,
        cwd=folder,
        env={**os.environ, **settings, "ANSIBLE_HOME": folder},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    seconds = time.monotonic() - begun
if ended.returncode != 0 or ended.stdout.count("changed=1") != len(hosts):
    sys.exit(ended.stdout[-4000:])
megabytes = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
print(json.dumps({"seconds": seconds, "megabytes": megabytes}))
