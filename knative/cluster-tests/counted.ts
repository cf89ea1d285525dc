import assert from "node:assert/strict";
import { it } from "node:test";
import { runPrometheus, scrapeIntervalS } from "../../functions/tests/stack/prometheus.ts";
import { kubectl } from "./api.ts";
import { type Name, names, namespace } from "./environment.ts";
import { full, record } from "./results.ts";
import { paths } from "./routes.ts";
import { sum } from "./scrape.ts";
import { apply, lightSleep, type Stage } from "./stage.ts";
import { asleep } from "./state.ts";

const rounds = full ? 10 : 2;
const requestsMax = 5;
const drainTimeoutMs = 90_000;

export function counted(stage: () => Stage): void {
  it("loses no count: a real Prometheus at 15 s, five functions that wake side by side", async () => {
    const { api, pods, routes, say } = stage();
    await apply(stage(), lightSleep);
    await asleep(api, drainTimeoutMs);
    await pods.allGone(drainTimeoutMs);
    await using prometheus = await runPrometheus(job, { kubeconfig: await kubectl("config", "view", "--raw") });
    const startMs = Date.now();
    const asked: Record<Name, number> = { frontend: 0, gateway: 0, orders: 0, inventory: 0, users: 0 };
    for (let round = 0; round < rounds; round++) {
      await asleep(api, drainTimeoutMs);
      await Promise.all(
        names.map(async (name) => {
          const requests = 1 + Math.floor(Math.random() * requestsMax);
          for (let i = 0; i < requests; i++) {
            assert.equal((await routes.ask(name, paths[name])).status, 200, name);
            asked[name] += 1;
          }
        }),
      );
      say(`round ${round + 1} of ${rounds}`);
    }
    const wakes = pods.lives.filter(({ createdMs }) => createdMs >= startMs).length;
    assert.ok(wakes >= rounds * names.length, `${wakes} wakes`);
    await pods.allGone(drainTimeoutMs);

    const windowS = Math.ceil((Date.now() - startMs) / 1_000) + 60;
    const query = async (expression: string) => {
      const samples = await prometheus.query(`sum by (service) (${expression})`);
      return Object.fromEntries(samples.map(({ metric, value }) => [`${metric.service}`, value]));
    };
    const anchored = await query(`increase(http_requests_total[${windowS}s] anchored)`);
    const plain = await query(`increase(http_requests_total[${windowS}s])`);
    say(`asked ${JSON.stringify(asked)}, counted ${JSON.stringify(anchored)}`);
    assert.deepEqual(anchored, asked);
    record("Counts over wakes", [
      `${wakes} wakes, ${sum(asked)} requests, scraped each ${scrapeIntervalS} s: counted ${sum(anchored)} (\`increase(… anchored)\`), plain \`increase()\` ${sum(plain).toFixed(1)}.`,
    ]);
  });
}

/** As a PodMonitor on `user-port` does it. */
const job = `
  - job_name: functions
    kubernetes_sd_configs:
      - { role: pod, kubeconfig_file: kubeconfig, namespaces: { names: [${namespace}] } }
    relabel_configs:
      - { source_labels: [__meta_kubernetes_pod_container_port_name], regex: user-port, action: keep }
      - { source_labels: [__meta_kubernetes_pod_phase], regex: Succeeded|Failed, action: drop }
      - { source_labels: [__meta_kubernetes_pod_name], target_label: pod }
`;
