import { createApi } from "./api.ts";
import { createMetrics } from "./metrics.ts";
import { type Options, readOptions } from "./options.ts";
import { createRun, type Functions } from "./run.ts";
import { readThresholds } from "./thresholds.ts";
import { createCurrent } from "./vu.ts";

/** What a script and its run share: first the modules that it imports, then, once it has been read, its run. */
export function createSession(warn: (text: string) => void) {
  const metrics = createMetrics();
  const current = createCurrent();
  let options: Options | undefined;
  const settings = () => {
    if (!options) throw new Error("Cannot send a request: the script is still being read");
    return options;
  };
  const { modules, checks } = createApi({ current, metrics, settings, warn });

  return {
    modules,
    current,
    metrics,
    checks,
    /** Holds what the script exports against what the runner has. */
    prepare(script: { options: unknown; functions: Functions }) {
      const { functions } = script;
      options = readOptions(script.options);
      for (const [name, { exec }] of Object.entries(options.scenarios)) {
        if (!functions[exec]) {
          throw new Error(`Cannot run the scenario "${name}": the script exports no function "${exec}"`);
        }
      }
      const thresholds = readThresholds(options.thresholds, metrics);
      return { options, run: createRun({ functions, options, metrics, thresholds, current, warn }) };
    },
  };
}
