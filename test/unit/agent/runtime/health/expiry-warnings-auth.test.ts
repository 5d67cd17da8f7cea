// Warnings about a newer pre-shared key or certificate of a tunnel, state by state.

import { describe, expect, it } from "vitest";
import type { DesiredTunnel } from "#agent/model/desired.ts";
import type { TunnelChange, TunnelChangeState } from "#agent/model/tunnel-change.ts";
import { emptyMemory, type Memory } from "#agent/store/journal/memory.ts";
import { foundAuth } from "../../../kit/finder-kit.ts";
import { wall } from "../../../kit/snapshot-kit.ts";
import { tunnel } from "../../health-evidence.ts";

const auth = { kind: "psk", secretId: "https://v/secrets/hub-1-psk/1" } as const;
const kinds = {
  agent: { kind: "psk", secret: "hub-1-psk", farEnd: "agent" },
  manual: { kind: "psk", secret: "hub-1-psk", farEnd: "manual" },
  certificate: { kind: "certificate", secret: "hub-1", authorities: "roots", peer: "CN=gateway" },
} as const satisfies Readonly<Record<string, DesiredTunnel["auth"]>>;

function memoryOf(state: TunnelChangeState, trouble: boolean): Memory {
  const cause = { code: "effect.failed", error: "peer.rejected", text: "because of this" } as const;
  const failed = state === "giving" ? "tunnel.giving.either" : "tunnel.giving.notGiven";
  const reason: TunnelChange["reason"] = trouble
    ? { code: failed, cause }
    : { code: "recorded", text: "because of this" };
  const next: TunnelChange = { auth, state, since: wall, reason };
  return { ...emptyMemory, auths: { "hub-1": { auth, next } } };
}

function reported(
  kind: keyof typeof kinds,
  state: TunnelChangeState,
  trouble = false,
): readonly unknown[] {
  const warnings = foundAuth(memoryOf(state, trouble), { ...tunnel, auth: kinds[kind] });
  for (const { about, within } of warnings) expect([about, within]).toEqual(["hub-1", ["edge-a"]]);
  return warnings.map(({ code, text, next }) => [code, text, next]);
}

const show = "linkseal psk show hub-1";
const proceed = "linkseal psk proceed hub-1";

describe("a newer pre-shared key", () => {
  it.each<{
    readonly kind: keyof typeof kinds;
    readonly state: TunnelChangeState;
    readonly trouble: boolean;
    readonly code: string;
    readonly text: string;
    readonly next: string;
  }>([
    {
      kind: "agent",
      state: "waiting",
      trouble: false,
      code: "campaign-waiting",
      text: "a newer pre-shared key waits",
      next: show,
    },
    {
      kind: "agent",
      state: "waiting",
      trouble: true,
      code: "far-end-refused",
      text: "a newer pre-shared key is not taken",
      next: show,
    },
    {
      kind: "agent",
      state: "giving",
      trouble: true,
      code: "far-end-refused",
      text: "a newer pre-shared key is on its way",
      next: show,
    },
    {
      kind: "agent",
      state: "returning",
      trouble: false,
      code: "rotation-held",
      text: "its newer pre-shared key is being withdrawn",
      next: show,
    },
    {
      kind: "agent",
      state: "held",
      trouble: false,
      code: "rotation-held",
      text: "its newer pre-shared key was withdrawn",
      next: proceed,
    },
    {
      kind: "manual",
      state: "waiting",
      trouble: false,
      code: "waiting-for-person",
      text: "a newer pre-shared key waits",
      next: proceed,
    },
    {
      kind: "manual",
      state: "held",
      trouble: false,
      code: "rotation-held",
      text: "its newer pre-shared key was withdrawn",
      next: proceed,
    },
  ])(
    "a newer key that $kind gives, in $state (trouble: $trouble), raises $code",
    ({ kind, state, trouble, code, text, next }) => {
      const why = expect.stringMatching(new RegExp(`^${text}: (.*: )?because of this$`));
      expect(reported(kind, state, trouble)).toEqual([[code, why, next]]);
    },
  );

  it.each<[TunnelChangeState]>([["giving"], ["switching"]])(
    "a newer pre-shared key that is %s causes no warning",
    (state) => {
      expect(reported("agent", state)).toEqual([]);
    },
  );

  it("a tunnel without a newer key has no warning", () => {
    const inUse = { ...emptyMemory, auths: { "hub-1": { auth } } };
    for (const memory of [emptyMemory, inUse]) expect(foundAuth(memory, tunnel)).toEqual([]);
  });
});

describe("a newer certificate", () => {
  it("a newer certificate that waits was refused, and a later version resolves it", () => {
    expect(reported("certificate", "waiting")).toEqual([
      [
        "rotation-held",
        "its newer certificate waits: because of this",
        "put a version into the vault that the gateway takes",
      ],
    ]);
  });

  it("a newer certificate in any other state causes no warning", () => {
    expect(reported("certificate", "switching")).toEqual([]);
  });
});
