import assert from "node:assert/strict";
import { dirname } from "node:path";
import { test } from "node:test";
import { type Miniature, type MiniatureOptions, openMiniature } from "./miniature.ts";
import { startProcess } from "./process.ts";
import type { ShopFunction } from "./shop.ts";
import type { SlotEvent } from "./slot.ts";
import { alive, send, until, writeFunction } from "./testing.ts";
