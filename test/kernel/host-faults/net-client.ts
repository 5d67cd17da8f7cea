// A client of linkseal-net that may lose its reply.

import { request } from "node:http";

export interface NetReply {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

/** Resolves to undefined if the connection ended without a reply. */
export function askNet(
  socketPath: string,
  path: string,
  body: object = {},
): Promise<NetReply | undefined> {
  return new Promise((resolve) => {
    const call = request({ socketPath, path: `/devices/edge${path}`, method: "POST" });
    call.once("error", () => resolve(undefined));
    call.once("response", (response) => {
      const chunks: string[] = [];
      response.on("data", (chunk) => chunks.push(String(chunk)));
      response.once("error", () => resolve(undefined));
      response.once("end", () => {
        const read = JSON.parse(chunks.join("")) as Record<string, unknown>;
        resolve({ status: response.statusCode ?? 0, body: read });
      });
    });
    call.end(JSON.stringify(body));
  });
}
