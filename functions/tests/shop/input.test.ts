import { describeInput } from "../input/suite.ts";

describeInput({ runs: 300 });
