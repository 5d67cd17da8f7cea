// Explanations of campaign states and of risks that are accepted by name.

import type { CampaignState } from "../model/campaign.ts";
import { type RiskName, riskMeanings } from "../model/desired.ts";
import { type Entry, entry } from "./entry.ts";

const show = "Run `linkseal rotation show GROUP` to see what it waits for.";
const nothing = "Nothing is needed from you.";

export const stateEntries: Readonly<Record<CampaignState, Entry>> = {
  queued: entry(
    "Wanted, not begun",
    "The campaign waits for the group to be free. Nothing was touched.",
    nothing,
  ),
  gated: entry(
    "Waiting for permission",
    "Parked with its traffic on. A campaign that may not go on now comes back here; the " +
      "reason names the gate and its age.",
    show,
    "Repair what the gate names; the campaign goes on by itself.",
  ),
  draining: entry(
    "Moving traffic away",
    "Routes are changed so that the sibling carries. The link counts as drained after quiet " +
      "samples and without a best path over it.",
    nothing,
  ),
  staging: entry(
    "Putting the new key beside the old one",
    "The router gets the new key as a second one, by a commit that it takes back by itself " +
      "unless the old key still carries the link. Traffic is on the sibling.",
    nothing,
  ),
  staged: entry(
    "Both keys are on the router",
    "The new key waits beside the old one and nothing is pending. The far end still uses the " +
      "old one.",
    nothing,
  ),
  awaitingPeer: entry(
    "Waiting for a person at the far end",
    "The far end is changed by hand. The link carries as before, for as long as it takes.",
    show,
    "Tell the agent with `linkseal rotation proceed GROUP`.",
  ),
  switching: entry(
    "The far end was told",
    "The far end was pointed at the new key and nobody knows yet whether it obeyed. If it " +
      "refuses, nothing is lost.",
    nothing,
    "If it lasts, look at the operation in Azure.",
  ),
  proving: entry(
    "Proving the new key",
    "The new key must be in charge and protected frames must move both ways, without a gap, " +
      "for the settle time.",
    nothing,
  ),
  promoting: entry(
    "Making the new key the primary one",
    "Platforms with a fallback key tell the two apart: the proven one takes the lead before " +
      "the old one may go.",
    nothing,
  ),
  retiring: entry(
    "Removing the old key",
    "The new key is proven on both ends, so the old one leaves the router, while the traffic is " +
      "still on the sibling. Its version stays in the vault.",
    nothing,
  ),
  restoring: entry(
    "Bringing traffic back",
    "The link is given its routes again and must carry, by route and by probe, for the soak time.",
    nothing,
  ),
  reverting: entry(
    "Going back to the old key",
    "The proof did not come in time. The far end is pointed back first, then the new key is " +
      "removed.",
    show,
  ),
  held: entry(
    "Stopped, safe and stable",
    "Something was seen that a program must not decide alone. What is on both ends is " +
      "recorded; nothing more is written.",
    show,
    "`linkseal rotation resume GROUP` goes on, `revert` goes back, `abandon` ends it if the " +
      "link carries.",
  ),
  done: entry(
    "Finished",
    "Enrolled, changed, rotated, reverted or abandoned. The next link follows only after success.",
    nothing,
  ),
};

function risk(name: RiskName, title: string, ...whatToDo: readonly string[]): Entry {
  const meaning = `Accepting it means: ${riskMeanings[name]}.`;
  const once = `Accept it once with \`--accept-risk=${name}\``;
  const accept = `${once}, or with a date in \`acceptRisks\`.`;
  return entry(title, meaning, ...whatToDo, accept);
}

export const riskEntries: Readonly<Record<RiskName, Entry>> = {
  breakBeforeMake: risk(
    "breakBeforeMake",
    "A link goes dark during its change",
    "Needed for every first enrolment and on devices that hold one key only.",
  ),
  hardDrain: risk(
    "hardDrain",
    "A drain without a way back",
    "Prefer `drain: prepend` or `gracefulShutdown`: they keep the routes as a last resort.",
  ),
  noDrain: risk(
    "noDrain",
    "A change under traffic",
    "Prefer any other `drain`: with one, a rotation loses no frame.",
    "Look at the expected dark time with `linkseal rotate GROUP --dry-run`.",
  ),
  ownPathUnknown: risk(
    "ownPathUnknown",
    "Our own path is not known",
    "Give the agent a management path that is known to be elsewhere.",
  ),
  shortSettle: risk(
    "shortSettle",
    "Short proof times",
    "Only for demonstrations and tests: use the defaults for links that matter.",
  ),
  outsideWindow: risk(
    "outsideWindow",
    "Outside the agreed time",
    "Wait for the window, unless the key must change now; the refusal names when it opens.",
  ),
  noProbe: risk(
    "noProbe",
    "Proof by traffic alone",
    "Choose a time at which both directions carry traffic; an idle link proves nothing.",
  ),
  farEndUnseen: risk(
    "farEndUnseen",
    "The far end is not read",
    "Give the agent the right to read the ExpressRoute port instead.",
    "Say that the far end was changed only when Azure shows the operation as finished.",
  ),
  asFound: risk(
    "asFound",
    "Adopted as it was found",
    "Look at what `linkseal adopt` prints first; `linkseal plan` shows the difference later.",
  ),
  weakTunnel: risk(
    "weakTunnel",
    "A weak IPsec policy",
    "Give the gateway's connection a custom policy, and the tunnel `policy: strong`.",
    "With a date alone: after it no tunnel is set up under such a policy, and one that stands " +
      "counts as degraded.",
  ),
  clearAfterRetire: risk(
    "clearAfterRetire",
    "Clear text after a tunnel is retired",
    "Route what the tunnel protected into another tunnel first, or to nowhere.",
    "A device without block policies follows its other routes once the tunnel is gone. Accept it " +
      "with the one `linkseal retire tunnel` that takes the tunnel away.",
  ),
};
