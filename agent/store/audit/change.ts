// Derives from a record of the journal what an auditor needs: what was changed where, and who asked
// for it. Pure.

import type { TunnelAuth } from "#hal/tunnel-spec.ts";
import type { WallTime } from "#hal/world.ts";
import { type Campaign, entryOf } from "../../model/campaign.ts";
import { isoTime } from "../../model/iso-time.ts";
import { reasonText, tunnelChangeText } from "../../model/reason-text.ts";
import type { Binding, CompromisedKey, JournalRecord } from "../journal/memory.ts";
import type { Change } from "./record.ts";

const textMax = 400;

/**
 * Returns the change, or undefined if the record has none for an auditor. `before`: the campaign of
 * that group before the record.
 */
export function changeOf(
  record: JournalRecord,
  before: Campaign | undefined,
  when: WallTime,
): Change | undefined {
  const changed = (
    what: Change["what"],
    about: string,
    who: string | null,
    text: string,
  ): Change => ({
    what,
    about,
    when,
    who,
    text: text.slice(0, textMax),
  });
  switch (record.kind) {
    case "campaign": {
      const { campaign } = record;
      if (before?.state === campaign.state && before.at === campaign.at) return undefined;
      const about = `${campaign.group}/${campaign.links[campaign.at]?.name ?? ""}`;
      const text = `${campaign.kind} ${campaign.state}: ${reasonText(campaign.reason)}`;
      return changed("campaign", about, campaign.by, `${text}${keysOf(campaign)}`);
    }
    case "effect":
      return changed("effect", record.place, null, record.what);
    case "operation":
      return changed("farEnd", record.link, null, "the far end accepted a change");
    case "binding":
      return changed("binding", record.link, null, bindingText(record.binding));
    case "compromised":
      return changed("binding", record.key.link, record.key.by, compromisedText(record.key));
    case "forget":
      return changed("forget", record.link, null, "the link is no longer managed");
    case "forgetTunnel":
      return changed("forget", record.name, null, "the tunnel is gone and no longer managed");
    case "handDrain": {
      const { drain, link } = record;
      if (drain === null) return changed("handDrain", link, null, "its traffic was given back");
      return changed("handDrain", link, drain.by, "its traffic was moved away");
    }
    case "auth":
    case "sharedAuth": {
      const about = record.kind === "auth" ? record.name : record.names.join(", ");
      const { auth, next } = record.inUse;
      const version = ({ secretId }: TunnelAuth): string => secretId.split("/").slice(-2).join("/");
      const now = `${auth.kind} version ${version(auth)}`;
      if (next === undefined) return changed("tunnelAuth", about, null, now);
      const text = `${now}, ${version(next.auth)} ${next.state}: ${tunnelChangeText(next)}`;
      return changed("tunnelAuth", about, next.by ?? null, text);
    }
    case "proposal":
      return changed("proposal", "site", record.ended.by, proposalText(record));
    case "measured":
    case "settled":
    case "tunnel":
    case "pending":
    case "unsaved":
    case "saved":
    case "snapshot":
    case "snapshotPart":
      return undefined;
  }
}

function bindingText({ how, key, created }: Binding): string {
  const version = key.cakSecretId.split("/").slice(-2).join("/");
  return `${how}: CKN ${key.ckn}, CAK version ${version}, made ${isoTime(created)}`;
}

function compromisedText({ ckn, since, gone }: CompromisedKey): string {
  const end = gone === undefined ? "" : `, and gone at ${isoTime(gone)}`;
  return `compromised since ${isoTime(since)}: CKN ${ckn}${end}`;
}

function proposalText({ sha256, ended }: Extract<JournalRecord, { kind: "proposal" }>): string {
  return `${ended.end} the proposal ${sha256.slice(0, 16)}, signed by ${ended.signer}`;
}

function keysOf(campaign: Campaign): string {
  if (campaign.state !== "queued" || campaign.links.length === 0) return "";
  const { old, new: next } = entryOf(campaign);
  const from = old === undefined ? "none" : old.key.ckn;
  return ` (CKN ${from} to ${next.key.ckn})`;
}
