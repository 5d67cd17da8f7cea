// A Junos port whose frames are authenticated but not encrypted: MKA reports it as secured.

import { expect, it } from "vitest";
import { junos } from "#drivers/junos/junos.ts";
import { observe } from "#drivers/junos/observation.ts";
import type { Netconf } from "#drivers/transport/netconf.ts";
import type { XmlOut } from "#drivers/transport/xml.ts";
import type { MacsecPort } from "#hal/model.ts";
import type { DeviceId } from "#hal/target.ts";
import { SimClock } from "#sim/base/clock.ts";
import { configText, read } from "../junos-kit.ts";

const port = "et-0/0/1";
const suite = "<cipher-suite>gcm-aes-xpn-256</cipher-suite>";

/** Observes the port; `live` is the word of its SecY, `configured` is beside its cipher suite. */
async function observed(live: string, configured = ""): Promise<MacsecPort> {
  const replies: Readonly<Record<string, string>> = {
    "get-config": configText.replace(suite, `${suite}${configured}`),
    "get-interface-information": `<r><interface-information><physical-interface>
      <name>${port}</name></physical-interface></interface-information></r>`,
    "get-macsec-connection-information": `<r><macsec-connection-information>
      <macsec-interface-common-information><interface-name>${port}</interface-name>
        <cipher-suite>GCM-AES-XPN-256</cipher-suite><encryption>${live}</encryption>
      </macsec-interface-common-information></macsec-connection-information></r>`,
  };
  const session: Pick<Netconf, "where" | "call"> = {
    where: "edge-a",
    call: ({ name }: XmlOut) => read(replies[name] ?? "<r/>"),
  };
  const about = {
    device: "edge-a" as DeviceId,
    clock: new SimClock(0),
    capabilities: junos.offers,
  };
  const state = await observe(session as Netconf, about, new AbortController().signal);
  const found = state.macsec.find((one) => one.port === port);
  if (found === undefined) throw new Error("no port");
  return found;
}

it("a port that only authenticates its frames is readable, and not must-secure", async () => {
  const readable = {
    failOpen: { value: ["encryptOff"] },
    settings: { value: { policy: "shouldSecure" } },
  };
  expect(await observed("off")).toMatchObject(readable);
  expect(await observed("on", "<no-encryption/>")).toMatchObject(readable);
  const encrypted = await observed("on");
  expect(encrypted.failOpen).toBeUndefined();
  expect(encrypted.settings).toMatchObject({ value: { policy: "mustSecure" } });
});
