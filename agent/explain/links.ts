// Explanations of what health says about links and tunnels.

import type { LinkCode, TunnelCode } from "../model/warning-rows.ts";
import { type Body, body } from "./entry.ts";

const readLink =
  "Run `linkseal links GROUP/LINK` and compare the counters of two runs some seconds apart.";
const wait = "Wait one evidence time; it goes away by itself.";

export const linkEntries: Readonly<Record<LinkCode | TunnelCode, Body>> = {
  "not-looked-yet": body(
    "The agent has just started, or the device has never answered. Nothing is known, so the " +
      "verdict is `unknown` and not `down`.",
    "Wait for one poll.",
    "If it stays, look at the warning about the device itself with `linkseal status`.",
  ),
  "device-unreachable": body(
    "No look at this device succeeds: it does not answer, refuses the login or shows another " +
      "host key. Its links may work perfectly; nobody can see it.",
    "Check power and management network of the device.",
    "A changed host key or a refused login is told in the text: find out why before you accept it.",
    "Nothing is changed on the device or its siblings meanwhile.",
  ),
  "reading-stale": body(
    "The last good reading is older than `health.staleAfter`. An old `secured` proves " +
      "nothing, so the verdict is `unknown`.",
    "Run `linkseal status` to see when the device was last read.",
    "If looks take long, raise `health.poll` and `health.staleAfter` together.",
  ),
  "reading-missing": body(
    "The device answered, but not this question: the query failed, the answer was not " +
      "understood, its driver cannot ask, or the channel is too weak to prove anything.",
    "The text names the reading and the reason.",
    "After an upgrade of the device's software, an answer that is not understood usually " +
      "means a changed format: report it.",
  ),
  "port-absent": body(
    "The device answers and does not list the port that the accepted config names.",
    "Compare the port name in the config with the device; names are case-sensitive.",
    "Check that the line card is in place.",
  ),
  "link-down": body(
    "The port has no link: fibre, optic, the port itself or the far end is off. No MACsec " +
      "state matters until it is back.",
    "Check light levels and the port's administrative state on both ends.",
    "The sibling carries the traffic; the agent takes nothing else away while this link is gone.",
  ),
  "macsec-not-configured": body(
    "The port is up without MACsec. With the verdict `unprotected` frames pass, and everyone " +
      "with access to the fibre can read and change them. With `down` the far end has MACsec on " +
      "already and drops them all; with `unknown` nothing shows that any pass.",
    "Run `linkseal plan` to see what protecting it would do.",
    "Run `linkseal enrol GROUP` to protect the group, one link after the other.",
  ),
  "policy-should-secure": body(
    "The port is set to should-secure. While MKA works its frames are protected; the moment " +
      "MKA fails the device sends them in the clear without telling anybody.",
    "Run `linkseal plan`: it shows who differs from the accepted intent.",
    "Find out who changed it (`linkseal events`), then set it back to must-secure.",
  ),
  "controlled-port-open": body(
    "MACsec is configured, but the controlled port is open without it: frames pass in the " +
      "clear now.",
    "Treat it as a leak: move the traffic to the sibling link by routing, by hand.",
    "Then look for the reason that MKA gives in the other reasons of this link.",
  ),
  "sak-not-agreed": body(
    "Both ends hear each other under the right key, yet no SAK is in use at both: the port is " +
      "closed, or every frame is lost. As a rule the key server offers a cipher suite that the " +
      "other end does not take.",
    "Compare the cipher suites of both ends: `linkseal links GROUP/LINK` and the Azure port.",
    "If they are equal, restart MKA on the far end.",
    "Nothing leaks: must-secure keeps the port closed.",
  ),
  "offset-mismatch": body(
    "The confidentiality offset leaves the first octets of each frame authenticated but " +
      "readable, and the accepted intent wants another offset.",
    "Run `linkseal plan` to see the difference.",
  ),
  "suite-mismatch": body(
    "One end, or the SA that is in use, has another cipher suite than the accepted intent. " +
      "MKA may still call the session secured; frames then fail, or are protected by a weaker " +
      "suite.",
    "Run `linkseal links GROUP/LINK` and read the suite of each end.",
    "Correct the end that differs from the config. The agent never follows a weaker suite.",
  ),
  "sci-mismatch": body(
    "One end puts the SCI into each frame and the other does not expect it. MKA does not " +
      "notice; every data frame is dropped and the counters for missing, unknown or bad tags " +
      "rise.",
    "Compare `includeSci` of the port with `sciState` of the Azure port.",
    "Correct the end that differs from the config; on ExpressRoute Direct most routers need it on.",
  ),
  "far-end-changed": body(
    "The far end's own settings are not those of the accepted intent: it points at other " +
      "vault versions, is switched off, or has MACsec off. Often the hardware follows minutes " +
      "later, so the link may still look healthy.",
    "Find out who changed the Azure port (its activity log).",
    "Set it back; this version brings in first keys only and changes none.",
  ),
  "far-end-failed": body(
    "Azure reports that its last change of this port failed. What the hardware does now can " +
      "only be seen from this end.",
    "Look at the operation in Azure; repeat it there if it was yours.",
    "If it belongs to a campaign, `linkseal rotation show GROUP` says what happens next.",
  ),
  "cak-mismatch": body(
    "MKPDUs arrive under a CKN that this port knows, and fail their integrity check: both " +
      "ends use the same name for different keys.",
    "Run `linkseal keys check`: it tells which vault versions belong together.",
    "If one end was configured by hand, give it the CAK version that carries this CKN.",
    "Never reuse a CKN: put a fresh pair of CAK and CKN into the vault.",
  ),
  "ckn-mismatch": body(
    "MKPDUs arrive under a CKN that this port does not hold. Usually the far end was moved to " +
      "another key first, or to the wrong one.",
    "Run `linkseal keys check` and compare the CKN of both ends.",
    "If the far end was changed by hand, point it back at the versions that the text names.",
  ),
  "mka-no-live-peer": body(
    "No live MKA peer. If the text says that the far end is silent, no MKPDU at all arrives: " +
      "MACsec is off there, its port is shut, or something on the way drops EAPOL.",
    "Check that MACsec is on at the far end and that its port is up.",
    "On leased optical paths, check that EAPOL (EtherType 888E) passes.",
    readLink,
  ),
  "peer-not-responded": body(
    "The peer is heard, but does not list this port as a live peer or has not installed the " +
      "SAK. Traffic may pass one way only.",
    readLink,
    "If it lasts longer than a minute, restart the session from the far end.",
  ),
  "second-peer": body(
    "More than one peer speaks MKA with a valid key on a link that has two ends. Somebody " +
      "else holds the key, or the segment is shared.",
    "Treat the key as lost: find the second speaker before anything else.",
    "Then replace the key by hand at both ends, one link at a time.",
  ),
  "principal-key-unexpected": body(
    "The session runs under a CKN that is not the accepted one. Frames are protected, but by " +
      "a key that the agent would not have chosen.",
    "Run `linkseal keys check` to see which key it is.",
    "A fallback key in charge means that the primary fails: look for its reason first.",
  ),
  "key-not-known": body(
    "The link is protected by a key that was set by hand and that the agent has not adopted. " +
      "It reports, and changes nothing.",
    "Run `linkseal adopt GROUP`: it matches the CKN of both ends with the vault and writes to " +
      "no device.",
  ),
  "fallback-not-ready": body(
    "A fallback key is configured on the port, but takes no part in MKA. If the primary key " +
      "fails, nothing takes over.",
    "Run `linkseal keys check`.",
    "A leftover of an abandoned campaign is removed on the router by a person.",
  ),
  "sak-not-in-use": body(
    "MKA agreed on a SAK that this port does not both receive and transmit with. After a " +
      "rekey this lasts a moment; if it stays, the hardware did not take the key.",
    readLink,
    "If it stays, drain the link and restart MKA on it.",
  ),
  "sak-churn": body(
    "The session makes one new SAK after the other. Both ends usually believe that the other " +
      "one is at fault; frames are lost at each change.",
    "Compare hello and life times of both ends.",
    "Check for loss of MKPDUs: control-plane policing, an overloaded route processor.",
  ),
  "rekey-overdue": body(
    "This port is key server and has kept one SAK for more than two rekey intervals. The " +
      "rekey is stuck.",
    readLink,
    "Look for a software defect of this release; a drained restart of the session helps.",
  ),
  "packet-number-high": body(
    "More than three quarters of the packet numbers of the SAK are used and no new SAK has " +
      "come. At the end the port stops sending.",
    "Use an XPN suite at 40 Gb/s and above.",
    readLink,
  ),
  "frames-untagged": body(
    "Data frames travel in the clear on this link now: an end sends them without MACsec.",
    "Move the traffic to the sibling link by routing, by hand.",
    "The text says which end sends them; set it to must-secure.",
    "Protocols that are excluded from MACsec on purpose also count on some platforms.",
  ),
  "stale-sak": body(
    "MKA shows a fresh SAK, but the frames that arrive were made with another one. The data " +
      "plane of one end still holds the previous key: seen after unclean restarts. The session " +
      "looks perfect and the traffic is lost.",
    "Drain the link, then restart MACsec on the end that was restarted last.",
    "Do not trust the session's own word; wait until both counters move.",
  ),
  "frames-not-valid": body(
    "Frames fail their integrity check while others pass. They were damaged on the way, or " +
      "somebody forges them.",
    "Check the error counters of the optics first.",
    "If the optics are clean, treat it as an attack: keep `linkseal events --json` as evidence.",
  ),
  "replay-window": body(
    "Frames arrive further out of order than the replay window allows. Link aggregation and " +
      "queueing reorder; so does somebody who replays.",
    "Raise `replayWindow` in the config if the path is known to reorder.",
    "Then `linkseal plan` shows the change.",
  ),
  mtu: body(
    "Frames that fit before are too long once MACsec adds up to 32 octets, and the port drops " +
      "them. Small packets pass, large transfers hang.",
    "Raise the layer-2 MTU of the port, and of everything on the path, by at least 32 octets.",
  ),
  "frames-one-way": body(
    "Over the whole evidence time protected frames moved in one direction only. Routing may " +
      "want it so; more often one direction is lost.",
    "Check routes and the sibling's counters for the other direction.",
    readLink,
  ),
  "probe-unanswered": body(
    "Packets of our own left this port, none came back, and no protected frame arrived. The " +
      "session is up and the link does not carry.",
    "Check the peering address and BGP over this link.",
    readLink,
  ),
  "counters-frozen": body(
    "The port carries traffic or a probe came back, yet its MACsec counters did not move. " +
      "They cannot prove anything, so the verdict is `unknown`.",
    "Read the counters on the device itself.",
    "Some releases stop counting until the line card is reset.",
  ),
  "counter-missing": body(
    "The device does not tell how many clear or invalid frames arrive. The rest looks right, " +
      "but what is not counted cannot be ruled out.",
    "See `linkseal driver list` for what this driver can read.",
    "A newer software release of the device may add the counter.",
  ),
  "collecting-evidence": body(
    "The session or its counters are new, and a verdict needs at least two looks with traffic " +
      "or a probe between them.",
    wait,
  ),
  "idle-unproven": body(
    "Everything looks right, but no frame moved in the evidence time and no probe was " +
      "answered. Nothing shows that the link carries.",
    "Use a driver that can probe, or give the link `probe` in the config.",
    "A standby link without any traffic stays `unknown` without a probe.",
  ),
  "tunnel-configured-but-absent": body(
    "The accepted intent names the tunnel and the device does not have it. A monitor that " +
      "only lists what exists would show nothing at all.",
    "Run `linkseal plan`: it shows what is missing.",
  ),
  "ike-down": body(
    "IKE with the gateway is not established. SAs that exist may still carry for a while; " +
      "nothing renews them.",
    "Check that the remote address answers on UDP 500 and 4500.",
    "Run `linkseal tunnels NAME`; a wrong pre-shared key shows as an authentication failure " +
      "on the device.",
  ),
  "sa-missing": body(
    "IKE may be up, but there is no SA for one or both directions: the ends do not agree on " +
      "algorithms or on the protected prefixes.",
    "Compare policy and prefixes of both ends with `linkseal tunnels NAME`.",
  ),
  "transform-mismatch": body(
    "The SA in use was negotiated with other algorithms than the accepted intent wants.",
    "Compare the policy of the Azure connection with the config.",
    "Run `linkseal plan`.",
  ),
  "tunnel-interface": body(
    "The tunnel's interface is down, or a route, an address or a policy that leads into it " +
      "is missing: nothing gets into the tunnel, and the block keeps it from leaving elsewhere. " +
      "With another MTU than it was made with, large packets are lost. linkseal-net puts it back " +
      "by itself, ever later where something takes it away again and again.",
    "See what takes it away: `journalctl -u linkseal-net`, then the routing daemon, a network " +
      "manager, or a person.",
  ),
  "tunnel-one-way": body(
    "Over the whole evidence time packets moved in one direction only: a return path around " +
      "the tunnel, or an SA that one end has lost.",
    "Check the routes of both ends for the protected prefixes.",
  ),
  "sequence-number-high": body(
    "Three quarters of the sequence numbers of the SA are used. At the end it must be renewed " +
      "or it stops.",
    "Check that the tunnel rekeys by volume or time; use extended sequence numbers.",
  ),
  "sa-ending": body(
    "The hard lifetime of the SA is all but over, and no younger one stands beside it: the rekey " +
      "that was due long before has failed, as it does where the ends want different groups. " +
      "When it ends the tunnel carries nothing.",
    "Compare the group and lifetimes of both ends; see the cause with `linkseal tunnels NAME`.",
  ),
  "anti-replay-off": body(
    "The SA that receives keeps no window of the numbers that it has seen, so whoever records " +
      "packets of the tunnel can send them again.",
    "Switch anti-replay on in the IPsec policy of the device, and let the tunnel rekey.",
    "Where equal paths reorder packets, widen the window instead of switching it off.",
  ),
  "clear-path-beside-tunnel": body(
    "A prefix that the tunnel protects can also be reached over a plain port. By the best route, " +
      "traffic leaves without IPsec now; by another one, it does as soon as the tunnel is gone. " +
      "Or this side's own prefix is advertised to a neighbour over a plain port: of two equal " +
      "prefixes Azure takes the one from ExpressRoute, and answers in the clear.",
    "Remove the route that the text names, or filter it from the plain peering.",
    "Over ExpressRoute advertise nothing but the outer addresses of the tunnels.",
    "On Linux, a block policy for the prefix stops the leak at once.",
  ),
  "guard-missing": body(
    "The block policies of a protected prefix are not in the kernel, or another policy lets " +
      "packets past them. While the tunnel carries nothing leaks; without its route it would.",
    "Run `linkseal guard` as root: it loads them again and changes nothing else.",
    "Look with `ip xfrm policy` for policies that somebody else put before them.",
  ),
  "tunnel-bgp-down": body(
    "The routes into the tunnel come by BGP inside of it, and that session is not up, is not " +
      "configured, or expects another AS. Nothing takes this tunnel; its siblings may carry.",
    "Look with `vtysh -c 'show bgp neighbors'` for the address that the text names.",
    "The neighbour needs `ebgp-multihop` only if its address is not that of `bgp.peer`.",
  ),
  "tunnel-unbalanced": body(
    "Several tunnels lead to the same prefixes, and this one sends less than a quarter of its " +
      "even part. Few large flows look so too: a hash spreads flows, and not packets.",
    "Look for the route: `ip route show` names each next hop. FRR needs `maximum-paths`.",
    "Let the hash see ports: `sysctl net.ipv4.fib_multipath_hash_policy=1`.",
  ),
  "outside-macsec": body(
    "The tunnel is meant to ride inside the MACsec of a group (`insideMacsec`), and that " +
      "group is not protected.",
    "Run `linkseal links` and look at the group first; the tunnel itself may be healthy.",
  ),
  "backup-carries": body(
    "What the tunnel protects rides in it now, because no link of the group that it `backs` " +
      "carries: each one is named with its reason. It is protected all the same, slower, and " +
      "with nothing behind it. It ends by itself when a link carries again.",
    "Run `linkseal links` and mend the links; leave the tunnel alone meanwhile.",
  ),
  "backup-preferred": body(
    "A link of the group that the tunnel backs carries under MACsec and brings a route, and the " +
      "best route leads into the tunnel all the same. Azure answers over ExpressRoute, so that " +
      "traffic goes by two ways, and the tunnel carries what it may be too small for.",
    "Give routes over the ports the higher local preference, or the tunnel's a longer AS path.",
    "Advertise the same prefixes by both: a longer prefix wins whatever the preference is.",
  ),
  "backup-unproven": body(
    "Nobody may count on this backup: no test packet has come back through the tunnel for three " +
      "intervals (`prove`), or two proofs in a row have failed. A proof is an echo of the " +
      "gateway's BGP address through the tunnel's own interface, which both of its SAs count.",
    "Run `ping -I TUNNEL ADDRESS` on the router, with the address of `bgp.peer`.",
    "SAs that stand and carry nothing point at the gateway's routes or at a filter behind it.",
  ),
  "weak-policy": body(
    "The tunnel runs under algorithms that RFC 8221 or RFC 8247 advises against, and the day " +
      "until which `acceptRisks` takes that is over. It still carries; nothing sets it up again.",
    "Give the gateway's connection a custom policy, then the tunnel `policy: strong`.",
  ),
};
