"""Drives a Junos router with ncclient: lock, edit, confirmed commit, revert, refusal."""

import json
import sys
import time

from ncclient import manager
from ncclient.operations import RPCError

port = int(sys.argv[1])


def connect():
    return manager.connect(
        host="127.0.0.1",
        port=port,
        username="linkseal",
        password="any",
        hostkey_verify=False,
        look_for_keys=False,
        allow_agent=False,
        device_params={"name": "default"},
    )


ports = "<interfaces><interface><name>et-0/0/0</name><disable/></interface></interfaces>"
picked = f'<configuration>{ports}</configuration>'


def is_disabled(session, source):
    reply = session.get_config(source=source, filter=("subtree", picked))
    return "<disable" in reply.data_xml


def edit(session, text):
    config = f"<config><configuration>{text}</configuration></config>"
    session.edit_config(target="candidate", config=config)


told = {}
with connect() as session:
    told["disabled_before"] = is_disabled(session, "running")
    session.lock("candidate")
    told["locked"] = True
    with connect() as other:
        try:
            other.lock("candidate")
            told["second_lock"] = "given"
        except RPCError as error:
            told["second_lock"] = str(error).split(" by:")[0].strip()
    edit(session, ports)
    told["disabled_in_candidate"] = is_disabled(session, "candidate")
    filtered = session.get_config("running", filter=("subtree", picked)).data_xml
    told["description_in_filter"] = "policy-options" in filtered
    session.commit(confirmed=True, timeout="60")
    told["disabled_after_commit"] = is_disabled(session, "running")
    from ncclient.xml_ import to_ele

    information = str(session.dispatch(to_ele("<get-commit-information/>")))
    told["pending"] = "rollback pending" in information
    for _ in range(100):
        time.sleep(0.2)
        if not is_disabled(session, "running"):
            break
    told["disabled_after_revert"] = is_disabled(session, "running")
    binding = "<interfaces><name>et-0/0/1</name><connectivity-association>nowhere</connectivity-association></interfaces>"
    edit(session, f"<security><macsec>{binding}</macsec></security>")
    try:
        session.commit()
        told["rejected"] = "taken"
    except RPCError as error:
        told["rejected"] = str(error).strip()
    session.discard_changes()
    session.unlock("candidate")

print(json.dumps(told))
