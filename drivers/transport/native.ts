// The functions of the native addon, which reaches what Node has no word for.

import { createRequire } from "node:module";

/** Opaque; lives until it is closed. */
export interface NativeSocket {
  readonly noun: "native socket";
}

interface Credentials {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

export interface Native {
  openNetlink(family: number, receiveBytes: number, onReadable: () => void): NativeSocket;
  joinGroup(socket: NativeSocket, group: number): void;
  openFrames(
    port: number,
    etherType: number,
    group: Uint8Array,
    onReadable: () => void,
  ): NativeSocket;
  /**
   * The descriptor of the kernel's own count of frames that come in at the port in the clear: all
   * but EAPOL and MACsec. It needs no buffer, so that no flood makes it lose or invent one.
   */
  openClearCount(port: number): number;
  /** Frames since the last call, or since it was opened. */
  takeClearCount(descriptor: number): number;
  /** Octets written to `room`, or minus errno. */
  receive(socket: NativeSocket, room: Uint8Array): number;
  /** Octets sent, or minus errno. */
  send(socket: NativeSocket, message: Uint8Array): number;
  close(socket: NativeSocket): void;
  peerCredentials(descriptor: number): Credentials;
  notify(address: string, text: string, descriptors: readonly number[]): void;
  /** The descriptor of memory without a file, whose size stays. */
  openMemory(name: string, bytes: number): number;
  /** Throws where the descriptor is none of such memory. */
  checkMemory(descriptor: number): void;
  /** From now on no core file of this process is written. */
  refuseDumps(): void;
}

/** What only the test build has: the shipped one cannot change its network. */
export interface TestNative extends Native {
  enterNamespace(path: string): void;
  listenNotices(address: string): number;
  takeNotice(descriptor: number): { readonly text: string; readonly descriptors: number[] };
}

/** Throws where it was not built for this machine. */
export function loadNative(path: string): Native {
  return createRequire(import.meta.url)(path) as Native;
}

export function hasNamespaces(native: Native): native is TestNative {
  return "enterNamespace" in native;
}
