import { describeCardinality } from "../cardinality.ts";
import { full, record } from "./full.ts";

describeCardinality({ count: full ? 100_000 : 10_000, report: record });
