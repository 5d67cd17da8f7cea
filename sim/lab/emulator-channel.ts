// A byte channel to a simulated router in the same process, on virtual time.

import { fillCommand } from "#drivers/index.ts";
import { orAborted } from "#hal/deadline.ts";
import { LinksealError } from "#hal/error.ts";
import type { ByteChannel } from "#hal/world.ts";
import type { EmulatorSession, Wire } from "../emulators/netconf.ts";

/** `connect`: undefined = no router answers. */
export function channelTo(
  device: string,
  connect: (wire: Wire) => EmulatorSession | undefined,
): ByteChannel {
  const waiting: Uint8Array[] = [];
  let isOver = false;
  let wake = Promise.withResolvers<void>();
  const notify = (): void => {
    wake.resolve();
    wake = Promise.withResolvers();
  };
  const session = connect({
    send: (octets) => {
      waiting.push(octets);
      notify();
    },
    close: () => {
      isOver = true;
      notify();
    },
  });
  if (session === undefined)
    throw lost("transport.unreachable", device, "the device does not answer");
  return {
    async read(signal) {
      while (waiting.length === 0 && !isOver) await orAborted(wake.promise, signal);
      signal.throwIfAborted();
      return waiting.shift();
    },
    async write(text, signal) {
      signal.throwIfAborted();
      if (isOver) throw lost("transport.closed", device, "the channel is over");
      const octets = fillCommand(text);
      session.receive(octets);
      octets.fill(0);
    },
    async [Symbol.asyncDispose]() {
      if (isOver) return;
      isOver = true;
      session.gone();
      notify();
    },
  };
}

function lost(
  code: "transport.unreachable" | "transport.closed",
  where: string,
  text: string,
): LinksealError {
  return new LinksealError(code, text, { effect: "none", where, next: "linkseal status" });
}
