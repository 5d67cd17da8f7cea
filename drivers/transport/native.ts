// Bindings for kernel interfaces that Node lacks: netlink, AF_PACKET, memfd, peer credentials.

import { createRequire } from "node:module";

/** An opaque handle; it is valid until it is closed. */
export interface NativeSocket {
  readonly noun: "native socket";
}

/** The process at the other end of a Unix stream socket when it connected. */
export interface Credentials {
  /** Its number as this process sees it. */
  readonly pid: number;
  /** Its effective user. */
  readonly uid: number;
  /** Its effective group. */
  readonly gid: number;
}

/**
 * The functions of the native addon; they throw an Error with `code` and `errno` if a system call
 * fails.
 */
export interface Native {
  /** Opens a netlink socket of a protocol family; `onReadable` is called when messages wait. */
  openNetlink(family: number, receiveBytes: number, onReadable: () => void): NativeSocket;
  /** Joins a multicast group. */
  joinGroup(socket: NativeSocket, group: number): void;
  /** Opens a packet socket for one EtherType on one port; `port` is the index of the interface. */
  openFrames(
    port: number,
    etherType: number,
    group: Uint8Array,
    onReadable: () => void,
  ): NativeSocket;
  /**
   * Returns the descriptor of the kernel's own count of data frames that arrive at the port in the
   * clear: all but EAPOL, MACsec, and control of the link itself (LLDP, LACP, spanning tree, CDP).
   * It needs no buffer, so no flood makes it lose or invent a frame.
   */
  openClearCount(port: number): number;
  /** Returns the frames since the last call, or since it was opened. */
  takeClearCount(descriptor: number): number;
  /** Returns the octets written to `room`, or minus errno. */
  receive(socket: NativeSocket, room: Uint8Array): number;
  /** Returns the octets sent, or minus errno. */
  send(socket: NativeSocket, message: Uint8Array): number;
  /** Closes the socket; a second call does nothing. */
  close(socket: NativeSocket): void;
  /** Returns the process and user at the other end of a Unix stream socket. */
  peerCredentials(descriptor: number): Credentials;
  /**
   * Limits what the kernel keeps of a TCP socket, and of each that it accepts from now on, until it
   * is read (socket(7), SO_RCVBUF).
   */
  limitReceive(descriptor: number, octets: number): void;
  /** Sends a message to the service manager, with descriptors that it shall keep. */
  notify(address: string, text: string, descriptors: readonly number[]): void;
  /** Returns the descriptor of memory without a file, whose size stays. */
  openMemory(name: string, bytes: number): number;
  /** Throws if the descriptor is not such memory. */
  checkMemory(descriptor: number): void;
  /** Prevents core files of this process from now on. */
  refuseDumps(): void;
}

/** Functions of the test build only: the shipped one cannot change its network. */
export interface TestNative extends Native {
  enterNamespace(path: string): void;
  listenNotices(address: string): number;
  takeNotice(descriptor: number): { readonly text: string; readonly descriptors: number[] };
}

/**
 * Loads the addon.
 * @throws Error if it was not built for this machine.
 */
export function loadNative(path: string): Native {
  return createRequire(import.meta.url)(path) as Native;
}

export function hasNamespaces(native: Native): native is TestNative {
  return "enterNamespace" in native;
}
