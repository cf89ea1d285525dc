import { describeCardinality } from "../cardinality.ts";
import { full } from "./full.ts";

describeCardinality({ count: full ? 100_000 : 10_000 });
