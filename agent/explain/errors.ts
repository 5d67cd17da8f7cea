// Explanations of error codes: what failed, and what it may have done.

import type { ErrorCode } from "#hal/error.ts";
import { type Entry, entry } from "./entry.ts";

const lookFirst = "Run `linkseal status` first: what happened on the device is not known.";
const laterAgain = "The agent tries again by itself.";

export const errorEntries: Readonly<Record<ErrorCode, Entry>> = {
  usage: entry(
    "The command line is not understood",
    "A verb, argument or option is missing or unknown. Nothing was sent anywhere.",
    "Add `--help` to the verb: it shows an example.",
  ),
  "config.invalid": entry(
    "The config has mistakes",
    "Each complaint names file, line, column and path, and what to write instead. The config " +
      "is refused as a whole; the accepted one stays in force.",
    "Correct what the complaints say, then `linkseal validate FILE`.",
  ),
  "config.conflict": entry(
    "The config cannot be reached here",
    "The text is valid, but a device cannot do what it wants, or two parts want opposite things.",
    "Run `linkseal driver list` to see what each driver offers.",
  ),
  "vault.unreachable": entry(
    "The vault does not answer",
    "A secret could not be listed or read. Links keep their keys.",
    laterAgain,
    "Check the path to the vault.",
  ),
  "vault.denied": entry(
    "The vault refuses",
    "The identity lacks the right, or the version is disabled.",
    "Give the identity `get` and `list` on secrets.",
    "Run `linkseal keys check`.",
  ),
  "vault.unpaired": entry(
    "CAK and CKN are not a proven pair",
    "The tag on the CAK version is missing or names another CKN, so the pair is not used.",
    "Run `linkseal keys check`, then put a fresh pair with its tag into the vault.",
  ),
  "vault.malformedKey": entry(
    "A secret is not a key",
    "Wrong length or not hexadecimal. The value is never shown.",
    "Put a fresh pair of CAK and CKN into the vault, the CAK tagged with its CKN.",
  ),
  "vault.reusedCkn": entry(
    "A CKN names two CAKs",
    "The same CKN was seen with two CAK versions. It is refused for good.",
    "Put a fresh pair of CAK and CKN into the vault, the CAK tagged with its CKN.",
  ),
  "transport.unreachable": entry(
    "The device cannot be reached",
    "No connection. Nothing was sent.",
    laterAgain,
    "Check address and management network.",
  ),
  "transport.authentication": entry(
    "The login was refused",
    "The device does not accept our user or key. It is not tried again by itself, so that no " +
      "account is locked.",
    "Check user and key of the device in the config.",
  ),
  "transport.timeout": entry(
    "No answer in time",
    "The request may have been carried out although its answer is missing.",
    lookFirst,
  ),
  "transport.closed": entry(
    "The connection broke",
    "It ended in the middle, or the answer was too long. What was sent may have been carried out.",
    lookFirst,
  ),
  "transport.hostKey": entry(
    "Another host key",
    "The device shows another key than the config pins. Nothing was sent: it may be another " +
      "machine.",
    "Find out why the key changed before you write the new one into the config.",
  ),
  "device.rejected": entry(
    "The device rejected the change",
    "It refused a line or the commit. The running configuration is as before unless the text " +
      "says otherwise.",
    "Read the reason in the text, then `linkseal plan`.",
  ),
  "device.locked": entry(
    "Somebody else holds the configuration lock",
    "The device is being configured by another session. Nothing was changed.",
    laterAgain,
    "Find the other session on the device if it stays.",
  ),
  "device.commitExpired": entry(
    "A commit went back by itself",
    "The confirmation came too late or not at all, and the device restored what it had " +
      "before. An ordinary outcome.",
    "Run `linkseal status`; the agent looks again before it goes on.",
  ),
  "device.unparsed": entry(
    "An answer was not understood",
    "The output has another form than the driver knows. What is not understood counts as " +
      "unknown, never as healthy.",
    "Check for a new software release on the device and report the format.",
  ),
  "device.unsupported": entry(
    "The device cannot do that",
    "The driver does not offer this change on this device. It was refused before anything was " +
      "sent.",
    "Run `linkseal driver list`.",
  ),
  "peer.unreachable": entry(
    "The management API does not answer",
    "The far end could not be read or written: no connection, no answer in time, or one that " +
      "makes no sense. After a write that was sent, what it did must be read again.",
    laterAgain,
    "Check the path to the management API of `azure.cloud`.",
  ),
  "peer.denied": entry(
    "The management API refuses us",
    "The identity lacks a right on the ExpressRoute port, or its token is not accepted. Nothing " +
      "was changed.",
    "Give the identity the right that the text names, by a role at the resource group of the port.",
  ),
  "peer.rejected": entry(
    "The far end rejected the change",
    "Azure refused: another operation runs, or the request is not valid. What it points at " +
      "must be read again.",
    "Run `linkseal rotation show GROUP`.",
  ),
  "peer.throttled": entry(
    "The far end asks us to slow down",
    "Too many requests to the management API. Nothing was changed.",
    laterAgain,
  ),
  "verify.mismatch": entry(
    "The change did not do what it should",
    "A look after the change shows something else than was wanted. An unconfirmed change goes " +
      "back by itself.",
    lookFirst,
  ),
  "verify.timeout": entry(
    "The change could not be verified in time",
    "It may stand, or go back by itself.",
    lookFirst,
  ),
  "gate.siblingUnhealthy": entry(
    "The sibling does not carry",
    "At most one link of a group may be out of service, so this one is left alone.",
    "Repair the sibling first: `linkseal links`.",
  ),
  "gate.stale": entry(
    "What is known is too old",
    "A step that takes a link away needs a look made immediately before it.",
    laterAgain,
  ),
  "gate.window": entry(
    "Not now",
    "The maintenance window is closed, or a freeze is on.",
    "Wait for the window.",
  ),
  "gate.ownPath": entry(
    "We would cut our own way",
    "The path to the device, the vault or Azure goes over the link that would be touched.",
    "Give the agent another management path, or move the traffic first.",
  ),
  "gate.riskNotAccepted": entry(
    "A risk must be accepted by name",
    "The step can interrupt or expose something. The text names the risk.",
    "Read `linkseal explain RISK`, then repeat with `--accept-risk=RISK` or write it into " +
      "`acceptRisks` with a date.",
  ),
  "gate.busy": entry(
    "A campaign of this group is under way",
    "One campaign per group at a time.",
    "Run `linkseal rotation show GROUP`, or repeat with `--queue`.",
  ),
  "gate.leftoverKey": entry(
    "A foreign key is on the port",
    "The port holds a key that is neither the old nor the new one, or its sibling holds two, and " +
      "the agent never removes what it does not own.",
    "If it is a leftover of an abandoned campaign, a person removes it on the router.",
    "Else remove it by hand when you know whose it is.",
  ),
  "journal.corrupt": entry(
    "The journal is broken",
    "A record before the end does not verify. The agent observes and changes nothing.",
    "Find out who wrote to the state directory.",
    "`linkseal journal accept-loss` lets it act again.",
  ),
  "journal.full": entry(
    "The journal cannot be written",
    "Nothing is changed that was not written down first, so nothing is changed now.",
    "Free space in the state directory, or mount it read-write again; the agent goes on by " +
      "itself, and `state-unwritable` ends.",
  ),
  "journal.locked": entry(
    "Another agent uses this state directory",
    "Two agents on one journal would act against each other, so the second one ends.",
    "Stop the other agent, or give this one a directory of its own. It may run in a container: " +
      "the text names its process and host where they are known.",
    "Remove no file for it: the lock is the kernel's, and ends with its process.",
  ),
  "agent.unreachable": entry(
    "No agent answers",
    "The socket is missing or nobody listens. The links do not depend on it.",
    "Start the agent, or name its socket with `--socket`.",
  ),
  "agent.forbidden": entry(
    "Not allowed on this socket",
    "The read-only socket takes no command that changes something.",
    "Use the administration socket: its group is `linkseal-admin`.",
  ),
  "agent.internal": entry(
    "A defect of linkseal",
    "Something that cannot happen did. The agent restarts by itself; a restart changes " +
      "nothing on any device.",
    "Report it with `linkseal doctor --bundle`.",
  ),
};
