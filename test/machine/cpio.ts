// Writes the archive that a kernel unpacks before it mounts anything: cpio in the "newc" format.

export interface ArchiveEntry {
  readonly name: string;
  readonly kind: "folder" | "program" | "file";
  readonly content?: Uint8Array;
}

const modes = { folder: 0o040_755, program: 0o100_755, file: 0o100_644 };

export function archive(entries: readonly ArchiveEntry[]): Buffer {
  const all = [...entries, { name: "TRAILER!!!", kind: "file" } as const];
  return Buffer.concat(all.flatMap(member));
}

function member(entry: ArchiveEntry, index: number): Buffer[] {
  const content = entry.content ?? new Uint8Array();
  const name = Buffer.from(`${entry.name}\0`);
  const [inode, links, owner] = [index + 1, 1, 0];
  const fields = [inode, modes[entry.kind], owner, owner, links, 0, content.length];
  const device = [0, 0, 0, 0];
  const numbers = [...fields, ...device, name.length, 0];
  const header = `070701${numbers.map((n) => n.toString(16).padStart(8, "0")).join("")}`;
  const front = Buffer.concat([Buffer.from(header), name]);
  return [front, padding(front.length), Buffer.from(content), padding(content.length)];
}

function padding(length: number): Buffer {
  return Buffer.alloc(-length & 3);
}
