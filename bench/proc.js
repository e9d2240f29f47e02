// @ts-check
/** What the kernel knows of a process, and of this machine. Linux only: that is where the numbers come from. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, release, totalmem } from 'node:os';
import { pause } from './load/clock.js';

/** Clock ticks a second in /proc/PID/stat: 100 on every Linux that Node runs on. */
const TICKS = 100;

/** CPU time of all threads so far, user and system. @param {number} pid @returns {number} microseconds */
export function cpuOf(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return ((Number(fields[11]) + Number(fields[12])) / TICKS) * 1e6;
}

/** A process and its children, and theirs. @param {number} pid @returns {number[]} */
export function treeOf(pid) {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1');
  return [pid, ...(children.match(/\d+/g) ?? []).flatMap((child) => treeOf(Number(child)))];
}

/** CPU time that this machine has spent so far, and what its host took away, over all cores. @returns {number} microseconds */
export function cpuOfMachine() {
  const fields =
    readFileSync('/proc/stat', 'latin1').split('\n')[0]?.trim().split(/\s+/).slice(1).map(Number) ?? [];
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = fields;
  return ((user + nice + system + irq + softirq + steal) / TICKS) * 1e6;
}

/**
 * Connections that are over and whose ports the kernel holds for a minute. When there are very many, new ones meet them and
 * are asked for again after a second, or after more.
 */
export function lingering() {
  return Number(/^TCP: .* tw (\d+)/m.exec(readFileSync('/proc/net/sockstat', 'latin1'))?.[1] ?? 0);
}

/** Waits until nobody takes more than so much of a core, for half a minute at most. @param {number} percent @returns {Promise<boolean>} */
export async function calm(percent) {
  for (let second = 0; second < 30; second++) {
    const before = cpuOfMachine();
    await pause(1000);
    if ((cpuOfMachine() - before) / 1e4 <= percent) return true;
  }
  return false;
}

/** Resident memory. @param {number} pid @returns {number} kB */
export function rssOf(pid) {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? 0);
}

/** Memory of a process, with its share of what it has in common with others. @param {number} pid @returns {number} kB */
export function pssOf(pid) {
  return Number(/^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1'))?.[1] ?? 0);
}

/** What the kernel has for sockets and files (unreclaimable slab), buffers of TCP included, and what is left for all. */
export function kernelMemory() {
  const text = readFileSync('/proc/meminfo', 'latin1');
  const kB = (/** @type {string} */ name) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1]);
  const pages = /^TCP: .* mem (\d+)/m.exec(readFileSync('/proc/net/sockstat', 'latin1'))?.[1];
  return { availableKB: kB('MemAvailable'), slabKB: kB('SUnreclaim'), tcpKB: Number(pages) * 4 };
}

/** Files that a process of ours may open. */
export function fileLimit() {
  const limits = readFileSync('/proc/self/limits', 'latin1');
  return Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1] ?? 1024);
}

export function machine() {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryGB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.version,
  };
}

/** Can processes be pinned to a core? @returns {boolean} */
export function canPin() {
  try {
    execFileSync('taskset', ['-c', '0,1', 'true'], { stdio: 'ignore' });
    return availableParallelism() > 1;
  } catch {
    return false;
  }
}
