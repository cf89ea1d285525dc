import { describeRaces } from "./suite.ts";

describeRaces({ snapshotsMin: 1_000, keys: 20, multiLineOrders: 500 });
