import { describeRaces } from "../races/suite.ts";

// The same in short; `bun run test:races` takes its time.
describeRaces({ snapshotsMin: 50, keys: 2, multiLineOrders: 100 });
