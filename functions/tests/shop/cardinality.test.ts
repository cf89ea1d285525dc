import { describeCardinality } from "../cardinality.ts";

describeCardinality({ count: 5_000 });
