import { readdirSync, readFileSync } from "node:fs";

/** What one process has used so far: CPU time of all its threads, in milliseconds (Linux). */
export function cpuMs(pid: number): number {
  const threads = readdirSync(`/proc/${pid}/task`);
  return (
    threads.reduce((sum, thread) => sum + Number(read(`/proc/${pid}/task/${thread}/schedstat`).split(" ")[0]), 0) / 1e6
  );
}

/** Resident memory, in MB. */
export function rssMb(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(read(`/proc/${pid}/status`))?.[1]) / 1024;
}

/** CPU time of all cores that was not idle, in milliseconds. */
export function busyMs(): number {
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = (
    /^cpu +(.*)$/m.exec(read("/proc/stat"))?.[1] ?? ""
  )
    .split(" ")
    .map(Number);
  return (user + nice + system + irq + softirq + steal) * 10;
}

/** How many processes wanted a core, on average over the last minute. */
export const loadAverage = (): number => Number(read("/proc/loadavg").split(" ")[0]);

const read = (file: string) => readFileSync(file, "utf8");
