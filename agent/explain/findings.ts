// Explanations of what `doctor` and `keys check` find where no warning or error has the name.

import type { FindingCode } from "../model/finding.ts";
import { type Entry, entry } from "./entry.ts";

const portal = "Change this one link of the port in Azure, while its sibling carries.";
const look = "Run `linkseal doctor` again: it reads both ends anew.";
const rotate = "Run `linkseal rotate GROUP`: it gives both ends the newest pair of the vault.";

export const findingEntries: Readonly<Record<FindingCode, Entry>> = {
  "macsec-one-sided": entry(
    "MACsec is on at one end only",
    "Azure never falls back to clear frames, and a must-secure router does not either: with " +
      "MACsec at one end alone nothing passes.",
    "Find out who changed that end, and why.",
    "If the other end is to follow, take the link in with `linkseal adopt LINK` once both have it.",
    portal,
  ),
  "admin-state-disabled": entry(
    "The link is switched off in Azure",
    "`adminState` of the link is Disabled: it sends no light, whatever the router does.",
    "Ask who switched it off. Set `adminState` to Enabled when the link may carry again.",
  ),
  "port-shut": entry(
    "The router's port is shut",
    "Somebody shut the port in the router's configuration. It carries nothing until it is opened.",
    "Ask who works on it, then open it on the router.",
  ),
  "far-end-updating": entry(
    "A change in Azure is still going on",
    "The port is locked and its document may say what the hardware does not do yet.",
    "Wait until its operation has ended, then look again.",
  ),
  "xpn-on-slow-port": entry(
    "An XPN suite on a port of 10 Gbit/s",
    "Azure offers the suites with extended packet numbers on ports of 40 Gbit/s and more. " +
      "Such a write is refused or comes to nothing.",
    "Set the suite to `gcm-aes-256` in the config, then run `linkseal apply`.",
  ),
  "xpn-missing": entry(
    "No XPN suite on a fast port",
    "With 32-bit packet numbers a full port of 100 Gbit/s needs a new SAK within minutes, in " +
      "small frames within one, and sessions were seen to drop over it.",
    "Set the suite to `gcm-aes-xpn-256` in the config, then run `linkseal plan`.",
  ),
  "speed-mismatch": entry(
    "Another speed than in the config",
    "The speed decides which suites there are and when a link counts as drained.",
    "Correct `speed` in the config, or `expressRoutePort` if it names another port.",
  ),
  "suite-unsupported": entry(
    "The router cannot do this suite",
    "The driver of this device does not offer the suite that the config wants.",
    "Run `linkseal driver list` to see what each driver offers.",
  ),
  "cipher-unknown": entry(
    "The far end has no cipher that is known",
    "The two secrets are set, and `cipher` is not, or is a word that this version does not know.",
    portal,
  ),
  "identity-missing": entry(
    "The port in Azure has no identity",
    "Without a user-assigned identity Azure cannot read CAK and CKN from the vault. A change of " +
      "keys fails, although the keys that it holds go on working.",
    "Assign a user-assigned identity to the port and give it `get` on secrets of the vault.",
    look,
  ),
  "identifier-versionless": entry(
    "A secret identifier without a version",
    "Nobody can tell which version Azure has read, or when it reads again. linkseal writes " +
      "identifiers with a version and takes others for drift.",
    "Run `linkseal keys list` and write the versioned identifiers of the key in use.",
    rotate,
  ),
  "identifier-foreign-vault": entry(
    "The far end takes its key from another vault",
    "What stands in that vault is not seen by linkseal, so the key can neither be proven nor " +
      "rotated.",
    "Correct `azure.vault` if the config is wrong.",
    rotate,
  ),
  "identifier-incomplete": entry(
    "One secret identifier without the other",
    "A CAK without a CKN, or the reverse, is neither MACsec off nor a key.",
    portal,
  ),
  "identifier-other-secret": entry(
    "The far end points at other secrets",
    "The vault is the right one, and the secrets are not those that the config names for this " +
      "link.",
    "Compare `azureLink` and `key` of both links in the config with the port in Azure.",
  ),
  "lag-members": entry(
    "A LAG with too few ports",
    "A link of the LAG has fewer ports than must be active for it to carry.",
    "Add ports to the LAG, or lower `minimumActivePortsRequired`.",
  ),
  "extra-key": entry(
    "More than one key on a port at rest",
    "A rotation leaves one key. Another one is a leftover or was added by hand; no rotation " +
      "begins beside it.",
    "Run `linkseal rotation show GROUP` to see whether a campaign left it.",
    "If it is nobody's, take it off on the router.",
  ),
  "key-version": entry(
    "The far end points at another version",
    "Azure was told another version of the CAK than the one this link was accepted with.",
    "Run `linkseal plan`: it says what to set at the far end to go back.",
    rotate,
  ),
  "version-missing": entry(
    "A version that the vault does not have",
    "The far end names a version that is not in the vault: purged, mistyped, or of a restored " +
      "vault. The hardware keeps its key until it is told otherwise.",
    rotate,
  ),
  "version-unusable": entry(
    "A version in use is disabled or outside its dates",
    "The link goes on with what it holds. Azure cannot read the version again, and a way back to " +
      "it does not exist.",
    "Enable the version until the link has left it.",
    rotate,
  ),
  "pair-mixed": entry(
    "CAK and CKN of two pairs",
    "The tag of the CAK at the far end names another CKN than the far end has.",
    "Run `linkseal keys list` and write both identifiers of one pair.",
  ),
  "generation-rollback": entry(
    "An older key was put back",
    "The generation of a link's key only rises. A lower one at the far end is a restored vault, " +
      "a script that ran twice, or an attack.",
    "Find out where it came from before anything else.",
    "Run `linkseal keys generate LINK`, then `linkseal rotate GROUP`.",
  ),
  "links-share-key": entry(
    "Two links with one key",
    "Whoever learns the key of one link has the other one too, and a mistake in cabling goes " +
      "unnoticed.",
    "Run `linkseal keys generate GROUP`, then `linkseal rotate GROUP`.",
  ),
  "links-swapped": entry(
    "The two links are crossed",
    "Each router holds the key that the far end of the other link uses: the fibres, or " +
      "`azureLink` in the config, are swapped.",
    "Compare with the letter of authorization which fibre ends at which link.",
    "Swap `azureLink` of both links in the config, or the fibres.",
  ),
  "key-lower-case": entry(
    "A key in lower case",
    "Azure documents upper-case hexadecimal. What it makes of lower case is not written anywhere.",
    "Run `linkseal keys generate LINK`, which writes upper case.",
  ),
  "proof-too-slow": entry(
    "No key can be proven in the time that is given for it",
    "The device sends no probes, and on a drained link only the routing sends frames: with BGP " +
      "timers of 60 s and no BFD that is two a minute each way. The wait for the proof ends " +
      "before there are enough of them, and the campaign goes back or is held.",
    "Set `rotation.verify` and `rotation.farEnd` as long as the finding says.",
    "Or let BFD or shorter BGP timers send more frames, and lower `rotation.proofFrames`.",
  ),
  "socket-open": entry(
    "A socket of the agent is open to everybody",
    "Whoever may open a socket may use it: the view socket looks, the admin socket changes. The " +
      "agent makes them for owner and group alone.",
    "Take the right of others away, and find out who gave it.",
    "Restart the agent: it makes its sockets anew.",
  ),
  "host-unit": entry(
    "A service of linkseal does not run as it should",
    "It has ended, starts again and again, or would not be there after a boot. Links go on as " +
      "they are: nobody watches them, and without its key agreement a port is dark in seconds.",
    "Read what it said last: `journalctl -u UNIT -n 50`.",
    "Then `systemctl restart UNIT`, which changes nothing on any device.",
  ),
  "host-old-build": entry(
    "A process is older than the package",
    "An upgrade restarts the agent alone. The other processes go on as the build that they are, " +
      "so that no link depends on the moment of an upgrade, and take over when somebody says so.",
    "`systemctl restart linkseal-net.service` at any time: nothing of a link is its to keep.",
    "`systemctl restart linkseal-mka@PORT.service` one port at a time, while its sibling " +
      "carries: the successor gets the session from the service manager and the link goes on.",
  ),
  "host-user": entry(
    "The agent is not in a group that it needs",
    "Sockets of this host are given to groups. Outside of one the agent cannot serve its admin " +
      "socket, or cannot ask the process behind another.",
    "Run the command that the finding names, then restart the agent.",
  ),
  "host-folder": entry(
    "A folder of linkseal belongs to somebody else, or is open to others",
    "The services refuse a state folder that others reach into. It often comes from a backup " +
      "that was put back as root.",
    "Run the command that the finding names, then restart the service.",
  ),
  "host-addon": entry(
    "The native addon does not load",
    "Without it no process on this host can serve a Linux port, tell the service manager that " +
      "it is alive, or refuse core dumps.",
    "Run `dpkg --verify linkseal` and install the package for this architecture.",
  ),
  "host-module": entry(
    "The kernel lacks a module",
    "MACsec and XFRM are parts of the kernel. Some kernels for virtual machines leave them out.",
    "Install the distribution's full kernel, such as `linux-image-amd64` of Debian.",
  ),
  "host-swap": entry(
    "Swap is on",
    "The units ask for none of their memory to be swapped, which holds where the kernel counts " +
      "memory by control group. Wiping a key cannot reach a copy on a disk.",
    "Switch swap off, or encrypt it with a key that each boot makes.",
  ),
  "host-disk": entry(
    "Little room is left for the journal",
    "Each effect is written down before it happens. Without room nothing is changed any more: " +
      "links stay as they are and keys are not rotated.",
    "Make room on the file system of `/var/lib/linkseal`.",
  ),
};
