// Explanations of warnings about the agent, its config, its keys and its campaigns.

import type { OperationCode } from "../model/warning-rows.ts";
import { type Body, body } from "./entry.ts";

export const operationEntries: Readonly<Record<OperationCode, Body>> = {
  "not-configured": body(
    "The agent runs and serves its sockets, but no config was ever accepted. It looks at " +
      "nothing and changes nothing.",
    "Write a config (docs/configuration.md), then run `linkseal apply FILE`.",
  ),
  "config-not-applied": body(
    "The config file differs from the accepted intent. The agent acts on the accepted one " +
      "alone; a file that merely lies there changes nothing.",
    "Run `linkseal plan` to see what the file would change.",
    "Run `linkseal apply`, or put the file back.",
  ),
  drift: body(
    "A device is not set as the accepted intent wants, and nobody told the agent to repair it.",
    "Run `linkseal plan` to see the difference.",
    "Run `linkseal apply` to set it again, or push a config that wants it so.",
    "`repair: on` lets the agent repair what cannot interrupt a port.",
  ),
  unmanaged: body(
    "A link, tunnel or key is still on a device and stands in no accepted intent. Leaving it " +
      "out of a config does not remove it.",
    "Run `linkseal adopt GROUP` to take a link in, or `linkseal retire link NAME` to let it go.",
    "`linkseal retire tunnel NAME` takes a tunnel off its device; its block stays.",
  ),
  "commit-pending": body(
    "A confirmed commit on the device waits for its confirmation, ours or somebody else's. " +
      "Until it is settled nothing is written there.",
    "If it is not ours, ask who works on the device.",
    "If nobody confirms, the device goes back to what it had before.",
  ),
  "commit-lost": body(
    "The device accepted a change, and its running configuration does not have it: the commit " +
      "was reverted, expired or never took. The agent looks again before it does anything else.",
    "Run `linkseal rotation show GROUP`: it says where the campaign stands.",
    "Find out whether somebody else commits on the device, or whether it restarted.",
    "Run `linkseal rotation resume GROUP` when the cause is gone.",
  ),
  "clock-skew": body(
    "The device's clock differs from ours by more than key times and certificates allow.",
    "Give the device a time source. No campaign starts on it meanwhile.",
  ),
  "vault-unreachable": body(
    "The key vault does not answer. Links do not need it: they keep their keys. New keys " +
      "cannot be seen or staged.",
    "Check the path to the vault and its firewall.",
  ),
  "vault-denied": body(
    "The vault answers and refuses: the agent's identity lacks the right to list or get " +
      "secrets, or the secret is disabled. No key can be fetched, so no link can be enrolled or " +
      "rotated.",
    "Give the identity `get` and `list` on secrets of this vault, and no more.",
    "Run `linkseal keys check` to see it work.",
  ),
  "key-age": body(
    "The key in use is older than `rotate.maxAge` of its group. It goes on protecting the link.",
    "Run `linkseal keys check` to see whether the vault has a newer one.",
    "If not, put a fresh pair of CAK and CKN into it.",
    "Begin with `linkseal rotate GROUP`, unless the group's policy does.",
  ),
  "key-age-soon": body(
    "The key in use reaches `rotate.maxAge` of its group within two weeks, or within a quarter " +
      "of that age. Nothing is wrong yet.",
    "Run `linkseal keys check` to see whether the vault has a newer pair.",
    "If not, put one into it with `linkseal keys generate GROUP/LINK`.",
  ),
  "key-unpaired": body(
    "The newest versions of CAK and CKN are not proven to belong together: the tag on the CAK " +
      "version is missing or names another CKN. They are ignored.",
    "Run `linkseal keys check` to see which versions are meant.",
    "Tag the CAK version with its CKN: the tag `linkseal-ckn` holds it in hexadecimal.",
  ),
  "key-malformed": body(
    "A secret is not a key: it must be hexadecimal text of full length (CKN 32 octets, CAK 16 " +
      "or 32 by the suite). The message names field and length, never the value.",
    "Put a fresh pair of CAK and CKN into the vault.",
  ),
  "key-reused": body(
    "One CKN was seen with two CAK versions. A CKN names one key for ever; two ends could " +
      "hold different keys under one name.",
    "Put a fresh pair into the vault, and disable both old versions once no link uses them.",
  ),
  "key-expiring": body(
    "A secret version reaches its expiry date soon. The vault goes on serving it; the agent " +
      "will not use it.",
    "Change the key by hand at both ends before the date, one link at a time.",
  ),
  "identity-expiring": body(
    "The certificate that the agent signs in to Entra with ends within thirty days. After that " +
      "neither vault nor far end can be reached; links keep their keys.",
    "Register a new certificate with the application, and put its PEM where " +
      "`azure.identity.certificate` says.",
    "The agent reads it anew by itself; restart it if sign-ins still fail.",
  ),
  "far-end-unreadable": body(
    "The settings of the Azure port cannot be read. What it points at is not known; a " +
      "campaign that needs it waits.",
    "Check the agent's right to read the ExpressRoute port.",
  ),
  "far-end-refused": body(
    "Azure did not take a change of the far end. The campaign looks again and tries again until " +
      "its deadline; a pre-shared key is tried again every few minutes.",
    "Do what the text names: a lock, a policy, a missing right, another operation there.",
    "Run `linkseal rotation show GROUP`, or `linkseal psk show TUNNEL`.",
  ),
  "far-end-unfollowed": body(
    "Azure took a change of the far end and refuses to show this identity how its operation " +
      "ends. The campaign goes on by the document of the port instead: `rotation.putGrace` " +
      "after the write, once two reads half a minute apart agree. A link whose router waits for " +
      "its far end may be dark for that much longer.",
    "Give the right that the text names by a role at the resource group: a role on the port " +
      "alone does not reach operations.",
    "Links at rest are not touched by it. The warning ends once Azure shows the operation.",
  ),
  "campaign-waiting": body(
    "A campaign, or the change of a tunnel's key, is wanted and a gate does not let it begin or " +
      "go on. It says which gate and since when.",
    "Run `linkseal rotation show GROUP`, or `linkseal psk show TUNNEL`.",
  ),
  "waiting-for-person": body(
    "The far end is changed by hand (`farEnd: manual`), and it is a person's turn. The link " +
      "carries meanwhile.",
    "Run `linkseal rotation show GROUP`: it says what to set where.",
    "Tell the agent with `linkseal rotation proceed GROUP`, and `--done` once it is done.",
  ),
  "rotation-held": body(
    "A campaign stopped in a safe, stable state because it saw something that it must not " +
      "decide alone. Nothing more is written until a person says so.",
    "Run `linkseal rotation show GROUP`: the reason names what was seen on both ends.",
    "Then `linkseal rotation resume GROUP`, `revert` or `abandon`.",
    "Of a tunnel: `linkseal psk show TUNNEL` says what refused the newer key, and whether both " +
      "ends have the one in use again.",
  ),
  "rotation-overdue": body(
    "A campaign has waited for a person or a gate for longer than `rotation.overdue`. Both links " +
      "carry meanwhile; the key does not get younger.",
    "Run `linkseal rotation show GROUP`: it says what it waits for.",
    "Do what it names, or end it with `linkseal rotation abandon GROUP`.",
  ),
  "drained-by-hand": body(
    "An operator moved the traffic of this link to its sibling, by `linkseal drain` or on the " +
      "router, and has not given it back. No rotation begins meanwhile. Should the sibling be " +
      "lost while this link can carry, the agent gives the traffic back by itself, even if a " +
      "person moved it away, and reports `hand-drain-over` or `drain-given-back`. A port that is " +
      "shut stays shut: shut the port for work that must not carry traffic in any case. " +
      "A tunnel that was drained to authenticate anew gets it back once its router answers.",
    "Run `linkseal undrain GROUP/LINK` when the work on the link is done.",
  ),
  "sibling-unhealthy": body(
    "The other link of the group does not carry in its accepted state. No effect takes " +
      "anything away from this one until it does.",
    "Look at the sibling with `linkseal links GROUP/LINK`.",
  ),
  "bgp-trouble": body(
    "The router says what is wrong with a BGP session over this link: a wrong or missing MD5 " +
      "password, a session that is shut or does not come up, or a drain that still lets routes " +
      "out unmarked. Traffic may not reach the far end by this link, or may not leave it.",
    "Run `linkseal links GROUP/LINK`, and compare the session with its settings at both ends.",
    "A wrong MD5 password is named as such: set the same one at both ends.",
  ),
  "audit-lossy": body(
    "The disk takes no records of the audit log. Links and changes are not touched by it; what " +
      "is not recorded is unknown in every later report, and never protected.",
    "Free space in the state folder; the agent tries again at each look.",
    "Make a report of the time concerned: `linkseal report` shows the gap.",
  ),
  "state-unwritable": body(
    "The last write of the journal, the audit log or an accepted config failed: the disk of the " +
      "state folder is full, read-only or broken. What is not written down first is not done, so " +
      "a link that is drained stays so, even if its sibling is lost, and a campaign stays where " +
      "it is. The text names both. Keys and sessions of the routers do not depend on it.",
    "Do what it names: free space in the state folder, or mount it read-write again.",
    "A drained link whose sibling is lost does not wait for that: take the drain away at its " +
      "router.",
    "The agent tries again by itself, and the warning ends once a write has succeeded.",
  ),
  "journal-lossy": body(
    "The journal is broken before its end. The agent goes on observing and changes nothing.",
    "Check the disk and who touched the state directory.",
    "When you know what was lost, `linkseal journal accept-loss` lets it act again.",
  ),
};
