// Applies a wanted change to a candidate configuration, and refuses what a router would refuse.

import { missingCapability } from "#hal/capability.ts";
import type { Capabilities, DeviceChange, PortChange } from "#hal/device.ts";
import { type Effect as CallEffect, type ErrorCode, LinksealError } from "#hal/error.ts";
import type { Ckn, KeyRef, PortName } from "#hal/model.ts";
import type { EndpointKey } from "../mka/port-endpoint.ts";
import {
  cloneConfig,
  diffConfig,
  type Effect,
  type MutableConfig,
  type PortConfig,
} from "./router-config.ts";

/** Key bytes by the versioned id of their secret. */
export type KeyMaterial = ReadonlyMap<string, Uint8Array>;

export interface ChangeContext {
  readonly device: string;
  readonly capabilities: Capabilities;
  readonly material: KeyMaterial;
  principal(port: PortName): Ckn | undefined;
}

const nextSteps: Partial<Record<ErrorCode, string>> = {
  "device.locked": "wait until the other session has left, then repeat the command",
  "device.unsupported": "linkseal driver list",
};

/** Returns an error of a router, with the next step that fits its code. */
export function deviceError(
  code: ErrorCode,
  where: string,
  text: string,
  effect: CallEffect = "none",
): LinksealError {
  return new LinksealError(code, text, {
    effect,
    where,
    next: nextSteps[code] ?? "linkseal status",
  });
}

/**
 * Refuses a change that the capabilities rule out, before anything is sent.
 * @throws LinksealError `device.unsupported`
 */
export function refuseUnsupported(
  device: string,
  capabilities: Capabilities,
  change: DeviceChange,
): void {
  const missing = missingCapability(change, capabilities);
  if (missing === undefined) return;
  const text = `${device} does not offer ${missing}, so nothing was sent to it`;
  throw deviceError("device.unsupported", device, text);
}

/**
 * Applies the change operations one by one and returns the effects; an operation whose goal is
 * already reached has none.
 * @throws LinksealError `device.rejected` or `device.unsupported`, with effect "none"
 */
export function applyChange(
  config: MutableConfig,
  change: DeviceChange,
  context: ChangeContext,
): Effect[] {
  const effects: Effect[] = [];
  for (const part of change) {
    const before = cloneConfig(config);
    applyPart(config, part, context);
    if (isOperation(part) || diffConfig(before, config).length > 0)
      effects.push(effectOfPart(part));
  }
  for (const [name, port] of config.ports) {
    if (port.keys.length > 0 && port.macsec === undefined) {
      throw rejected(context, name, "the port would hold a key but no MACsec settings");
    }
  }
  return effects;
}

/** True for an operation that the router does once and that no configuration shows. */
export function isOperation(
  part: PortChange,
): part is Extract<PortChange, { readonly kind: "macsec.rekeySak" | "ipsec.rekey" }> {
  return part.kind === "macsec.rekeySak" || part.kind === "ipsec.rekey";
}

function effectOfPart(part: PortChange): Effect {
  const port = "port" in part ? part.port : undefined;
  if ("key" in part) return { what: part.kind, port, ckn: part.key.ckn };
  return "ckn" in part ? { what: part.kind, port, ckn: part.ckn } : { what: part.kind, port };
}

function applyPart(config: MutableConfig, part: PortChange, context: ChangeContext): void {
  switch (part.kind) {
    case "ipsec.putTunnel": {
      const { auth, name } = part.tunnel;
      if (auth.kind !== "psk") {
        const text = `${name}: this router knows pre-shared keys alone`;
        throw deviceError("device.unsupported", context.device, text);
      }
      const psk = bytesOf(context, auth.secretId);
      config.tunnels.set(part.tunnel.name, { spec: part.tunnel, psk });
      return;
    }
    case "ipsec.block":
      // The capabilities of this router never name policies.
      throw deviceError("device.unsupported", context.device, "this router has no such policies");
    case "ipsec.removeTunnel":
      config.tunnels.delete(part.name);
      return;
    case "ipsec.rekey":
      if (config.tunnels.has(part.name)) return;
      throw deviceError("device.rejected", context.device, `there is no tunnel ${part.name}`);
    case "macsec.addKey":
    case "macsec.promoteKey":
    case "macsec.removeKey":
    case "macsec.replaceKey":
    case "macsec.rekeySak":
    case "macsec.protect":
    case "port.shut":
    case "port.open":
    case "port.drain":
    case "port.restore": {
      const port = config.ports.get(part.port);
      if (port === undefined) throw rejected(context, part.port, "there is no such port");
      applyToPort(port, part, context);
    }
  }
}

type OnPort = Extract<PortChange, { readonly port: PortName }>;

function applyToPort(port: PortConfig, part: OnPort, context: ChangeContext): void {
  switch (part.kind) {
    case "macsec.addKey":
      addKey(port, part, context);
      return;
    case "macsec.promoteKey":
      promoteKey(port, part, context);
      return;
    case "macsec.removeKey":
      removeKey(port, part, context);
      return;
    case "macsec.replaceKey":
      replaceKey(port, part, context);
      return;
    case "macsec.rekeySak":
      if (port.keys.length > 0) return;
      throw rejected(context, part.port, "the port holds no key");
    case "macsec.protect":
      protect(port, part, context);
      return;
    case "port.shut":
    case "port.open":
      port.admin = part.kind === "port.open" ? "up" : "down";
      return;
    case "port.drain":
      port.drain = part.means;
      return;
    case "port.restore":
      port.drain = undefined;
      return;
  }
}

function addKey(
  port: PortConfig,
  part: Extract<OnPort, { readonly kind: "macsec.addKey" }>,
  context: ChangeContext,
): void {
  const overlap = context.capabilities.macsec?.overlap;
  const others = port.keys.filter((key) => key.ckn !== part.key.ckn);
  if (others.length > 0 && overlap === "none") {
    const text = `${part.port} of ${context.device} holds one key only and was left as it is`;
    throw deviceError("device.unsupported", context.device, text);
  }
  if (others.length > 1) throw rejected(context, part.port, "the port already holds two keys");
  // A key chain has no fallback: every entry becomes the primary key in its turn.
  const role = overlap === "fallback" ? part.role : "primary";
  if (overlap === "fallback" && others.some((key) => key.role === role)) {
    throw rejected(context, part.port, `the ${role} key of the port is another one`);
  }
  if (role === "fallback" && others.length === 0) {
    throw rejected(context, part.port, "a fallback key needs a primary key beside it");
  }
  const key: EndpointKey = { ckn: part.key.ckn, cak: cakOf(part.key, part.port, context), role };
  port.keys = [...others, key];
}

function promoteKey(
  port: PortConfig,
  part: Extract<OnPort, { readonly kind: "macsec.promoteKey" }>,
  context: ChangeContext,
): void {
  const wanted = port.keys.find((key) => key.ckn === part.ckn);
  if (wanted === undefined) throw rejected(context, part.port, "the key to promote is not there");
  if (wanted.role === "primary") return;
  port.keys = port.keys.map((key) => ({ ...key, role: key === wanted ? "primary" : "fallback" }));
}

function removeKey(
  port: PortConfig,
  part: Extract<OnPort, { readonly kind: "macsec.removeKey" }>,
  context: ChangeContext,
): void {
  const key = port.keys.find(({ ckn }) => ckn === part.ckn);
  if (key === undefined) return;
  if (port.keys.length === 1) throw rejected(context, part.port, "it is the only key of the port");
  // A port that is shut uses none of its keys.
  if (port.admin === "up" && context.principal(part.port) === part.ckn) {
    throw rejected(context, part.port, "the key is the principal one, in use now");
  }
  const rest = port.keys.filter((other) => other !== key);
  if (!rest.some(({ role }) => role === "primary")) {
    throw rejected(context, part.port, "no primary key would be left; promote the fallback first");
  }
  port.keys = rest;
}

function replaceKey(
  port: PortConfig,
  part: Extract<OnPort, { readonly kind: "macsec.replaceKey" }>,
  context: ChangeContext,
): void {
  if (port.keys.length > 1) throw rejected(context, part.port, "the port holds two keys");
  const cak = cakOf(part.key, part.port, context);
  port.keys = [{ ckn: part.key.ckn, cak, role: "primary" }];
}

function protect(
  port: PortConfig,
  part: Extract<OnPort, { readonly kind: "macsec.protect" }>,
  context: ChangeContext,
): void {
  const { suite, confidentialityOffset } = part.settings;
  if (context.capabilities.macsec?.suites.includes(suite) !== true) {
    throw rejected(context, part.port, `the cipher suite ${suite} is not offered`);
  }
  if (suite.includes("xpn") && confidentialityOffset !== 0) {
    throw rejected(context, part.port, `${suite} allows confidentiality offset 0 only`);
  }
  port.macsec = { ...part.settings, policy: "mustSecure" };
}

function cakOf(key: KeyRef, port: PortName, context: ChangeContext): Uint8Array {
  const cak = bytesOf(context, key.cakSecretId);
  if (cak.length === 16 || cak.length === 32) return cak;
  throw rejected(context, port, `a CAK has 16 or 32 octets, this one has ${cak.length}`);
}

function bytesOf(context: ChangeContext, secretId: string): Uint8Array {
  const bytes = context.material.get(secretId);
  if (bytes !== undefined) return bytes;
  const text = `the change names ${secretId} but brings no bytes for it`;
  throw deviceError("device.rejected", context.device, text);
}

function rejected(context: ChangeContext, port: PortName, why: string): LinksealError {
  const text = `${context.device} refused the change on ${port}, nothing was changed: ${why}`;
  return deviceError("device.rejected", context.device, text);
}
