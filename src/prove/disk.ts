/**
 * A disk that fails, under a real server: syncs and writes return errors, syncs stall, and a power cut drops what was not
 * synced. A small library in C, `disk.c`, is built here and loaded into the server.
 */
import { spawnSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  ftruncateSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Random } from './generator.js';

const LIBRARY_SOURCE = fileURLToPath(new URL('disk.c', import.meta.url));

/** `sync` and `write` return errors; `stall` makes each sync wait. */
export type DiskFault = 'sync' | 'write' | 'stall';
const FAULT_BYTES: Readonly<Record<DiskFault | 'none', number>> = { none: 0, sync: 1, write: 2, stall: 3 };

/** A power cut drops each page or keeps it. */
const PAGE_BYTES = 4096;
const RECORD_HEADER_BYTES = 32;

export class FaultyDisk {
  /** Environment variables of the server. */
  readonly env: Readonly<Record<string, string>>;
  readonly #dataFolder: string;
  readonly #folder: string;
  readonly #stateFolder: string;
  readonly #controlFile: string;

  /** Returns undefined when the library cannot be built: it needs Linux and the C compiler `cc`. */
  static create(dataFolder: string): FaultyDisk | undefined {
    const disk = new FaultyDisk(dataFolder);
    if (disk.#build()) return disk;
    disk.remove();
    return undefined;
  }

  private constructor(dataFolder: string) {
    this.#dataFolder = dataFolder;
    this.#folder = mkdtempSync(join(tmpdir(), 'oneport-disk-'));
    this.#stateFolder = join(this.#folder, 'state');
    this.#controlFile = join(this.#stateFolder, 'control');
    mkdirSync(this.#stateFolder);
    writeFileSync(this.#controlFile, Buffer.alloc(3));
    this.env = {
      LD_PRELOAD: this.#libraryFile,
      ONEPORT_DISK_DATA: dataFolder,
      ONEPORT_DISK_STATE: this.#stateFolder,
    };
  }

  /** Whether the server has loaded the library. */
  get isLoaded(): boolean {
    return readFileSync(this.#controlFile)[1] === 1;
  }

  /** Whether a commit has been written whose sync stalls or has stalled. */
  get hasStalledCommit(): boolean {
    return readFileSync(this.#controlFile)[2] === 1;
  }

  setFault(fault: DiskFault | 'none'): void {
    const file = openSync(this.#controlFile, 'r+');
    writeSync(file, Buffer.from([FAULT_BYTES[fault]]), 0, 1, 0);
    closeSync(file);
  }

  /** Undoes what a killed server has not synced: all of it, or only some pages, because a disk writes in any order. */
  cutPower(random: Random): void {
    const dropsAll = random() < 0.5;
    for (const name of readdirSync(this.#stateFolder)) {
      const [records, database] = [join(this.#stateFolder, name), join(this.#dataFolder, name)];
      if (records === this.#controlFile) continue;
      if (existsSync(database)) undo(database, readRecords(records), dropsAll ? undefined : random);
      truncateSync(records);
    }
    for (const name of readdirSync(this.#dataFolder))
      if (name.endsWith('-shm')) rmSync(join(this.#dataFolder, name));
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  get #libraryFile(): string {
    return join(this.#folder, 'disk.so');
  }

  #build(): boolean {
    const args = ['-shared', '-fPIC', '-O1', '-o', this.#libraryFile, LIBRARY_SOURCE];
    return spawnSync('cc', args, { stdio: 'ignore' }).status === 0;
  }
}

/** A write or a truncation that was not synced; see `struct record` in disk.c. */
interface WriteRecord {
  readonly kind: 'write' | 'truncate';
  readonly offset: number;
  readonly length: number;
  /** Size of the file before. */
  readonly size: number;
  readonly replaced: Buffer;
}

function readRecords(path: string): WriteRecord[] {
  const bytes = readFileSync(path);
  const records: WriteRecord[] = [];
  for (let at = 0; at + RECORD_HEADER_BYTES <= bytes.length; ) {
    const [kind, offset, length, size] = [0, 8, 16, 24].map((n) => Number(bytes.readBigUInt64LE(at + n)));
    if (offset === undefined || length === undefined || size === undefined) break;
    const start = at + RECORD_HEADER_BYTES;
    at = start + Math.min(length, Math.max(0, size - offset));
    const replaced = bytes.subarray(start, at);
    records.push({ kind: kind === 0 ? 'write' : 'truncate', offset, length, size, replaced });
  }
  return records;
}

/** Undoes all writes; with `random`, those of random pages since the last truncation. */
function undo(path: string, records: readonly WriteRecord[], random: Random | undefined): void {
  const file = openSync(path, 'r+');
  try {
    if (random) undoPages(file, records, random);
    else
      for (const { offset, size, replaced } of records.toReversed()) {
        writeSync(file, replaced, 0, replaced.length, offset);
        ftruncateSync(file, size);
      }
  } finally {
    closeSync(file);
  }
}

function undoPages(file: number, records: readonly WriteRecord[], random: Random): void {
  const dropped = new Map<number, boolean>();
  const isDropped = (page: number): boolean => {
    const known = dropped.get(page) ?? random() < 0.5;
    dropped.set(page, known);
    return known;
  };
  const first = records.findLastIndex(({ kind }) => kind === 'truncate') + 1;
  for (const { offset, length, replaced } of records.slice(first).toReversed()) {
    for (let start = offset; start < offset + length; ) {
      const page = Math.floor(start / PAGE_BYTES);
      const end = Math.min((page + 1) * PAGE_BYTES, offset + length);
      const bytes = Buffer.alloc(end - start); // zeros beyond the former end of the file
      bytes.set(replaced.subarray(start - offset, end - offset));
      if (isDropped(page)) writeSync(file, bytes, 0, bytes.length, start);
      start = end;
    }
  }
}
