import type { Rule } from "../rule.ts";
import { connections } from "./connections.ts";
import { cronJobs } from "./cronjobs.ts";
import { database } from "./database.ts";
import { durability } from "./durability.ts";
import { environment } from "./environment.ts";
import { functions } from "./functions.ts";
import { identity } from "./identity.ts";
import { images } from "./images.ts";
import { jobs } from "./jobs.ts";
import { liveForm } from "./live-form.ts";
import { namespaces } from "./namespaces.ts";
import { networkMatrix } from "./network-matrix.ts";
import { networkSelectors } from "./network-selectors.ts";
import { databaseOwners } from "./owners.ts";
import { passwords } from "./passwords.ts";
import { podSecurity } from "./pod-security.ts";
import { probes } from "./probes.ts";
import { programs } from "./programs.ts";
import { quota } from "./quota.ts";
import { resources } from "./resources.ts";
import { roles } from "./roles.ts";
import { scale } from "./scale.ts";
import { schema } from "./schema.ts";
import { secrets } from "./secrets.ts";
import { servingConfig } from "./serving-config.ts";
import { timeouts } from "./timeouts.ts";
import { tls } from "./tls.ts";
import { visibility } from "./visibility.ts";
import { webhook } from "./webhook.ts";

/** What holds for everything that is applied. */
const general: readonly Rule[] = [schema, secrets, servingConfig, tls];

/** What holds for the shop. */
const ofTheShop: readonly Rule[] = [
  connections,
  cronJobs,
  database,
  databaseOwners,
  durability,
  environment,
  functions,
  identity,
  images,
  jobs,
  liveForm,
  namespaces,
  networkMatrix,
  networkSelectors,
  passwords,
  podSecurity,
  probes,
  programs,
  quota,
  resources,
  roles,
  scale,
  timeouts,
  visibility,
  webhook,
];

/** The rules for one overlay. */
export const rulesFor = (overlay: string): readonly Rule[] =>
  overlay.startsWith("environments/") ? [...general, ...ofTheShop] : general;
