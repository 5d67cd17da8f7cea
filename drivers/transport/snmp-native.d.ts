// The part of the library that is used; it brings no types of its own.

declare module "snmp-native" {
  import type { Socket } from "node:dgram";

  export interface VarBind {
    readonly oid: readonly number[];
    readonly type: number;
    readonly valueRaw: Buffer;
  }

  export interface SessionOptions {
    readonly host: string;
    readonly port: number;
    readonly community: string;
    readonly family: "udp4" | "udp6";
    readonly timeouts: readonly number[];
  }

  type Answered = (error: Error | null, varbinds?: readonly VarBind[]) => void;

  export class Session {
    readonly socket: Socket;
    constructor(options: SessionOptions);
    on(event: "error", listener: (error: Error) => void): void;
    getAll(
      options: { oids: readonly (readonly number[])[]; abortOnError: true },
      f: Answered,
    ): void;
    getNext(options: { oid: readonly number[] }, f: Answered): void;
    close(): void;
  }
}
