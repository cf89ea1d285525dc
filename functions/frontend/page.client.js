// @ts-check

/**
 * @typedef {{ item: string, name: string, price: number, currency: string, available: number }} Product
 * @typedef {{ item: string, quantity: number }} Line
 * @typedef {{ orderId: string, status: string, lines: Line[], total?: number, currency?: string, createdAt: string }} Order
 * @typedef {{ key: string, line: Line }} Intent
 * @typedef {{ status: number, data: any, headers: Headers }} Answer  `status` 0: no answer came
 */

const requestTimeoutMs = 30_000;
const logEntriesMax = 100;
const ordersPerPage = 5;
const scarceBelow = 6;

/** @param {string} id */
const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));
/** @param {string} selector */
const input = (selector) => /** @type {HTMLInputElement | null} */ (document.querySelector(selector));
const quantity = /** @type {HTMLInputElement} */ (byId("quantity"));
const choice = /** @type {HTMLFieldSetElement} */ (byId("choice"));

// --- Words ---

/** @type {Map<string, Product>} */
const products = new Map();

/** @param {number} minorUnits @param {string} currency */
function money(minorUnits, currency) {
  const format = new Intl.NumberFormat("en", { style: "currency", currency });
  return format.format(minorUnits / 10 ** (format.resolvedOptions().maximumFractionDigits ?? 2));
}

/** @param {Line} line */
const describe = ({ item, quantity }) => `${quantity} × ${products.get(item)?.name ?? item}`;

/** @param {number} available */
function describeStock(available) {
  if (available < 1) return "Sold out";
  return available < scarceBelow ? `Only ${available} left` : `${available} in stock`;
}

/** Which functions an answer had to wake, one after the other. @param {string} serverTiming */
function describeWakes(serverTiming) {
  const entries = [...serverTiming.matchAll(/\bcold;dur=(\d+(?:\.\d+)?);desc="([\w-]+)"/g)];
  const wakes = new Map(entries.map(([, ms, name]) => [name, Number(ms)]));
  const totalMs = [...wakes.values()].reduce((sum, ms) => sum + ms, 0);
  return wakes.size > 0 ? `woke ${[...wakes.keys()].join(", ")} in ${Math.round(totalMs)} ms` : "";
}

/** @param {Answer} answer */
const explain = ({ data }) => data?.detail ?? data?.title ?? "The shop did not answer.";

// --- Nodes: clones of the page's templates, filled with text only ---

/** @param {string} template @param {Record<string, string>} [slots] */
function build(template, slots = {}) {
  const { content } = /** @type {HTMLTemplateElement} */ (byId(`${template}-template`));
  return fill(/** @type {HTMLElement} */ (content.firstElementChild?.cloneNode(true)), slots);
}

/** @param {HTMLElement} node @param {Record<string, string>} slots */
function fill(node, slots) {
  for (const [slot, text] of Object.entries(slots)) {
    const target = node.querySelector(`[data-slot="${slot}"]`);
    if (target) target.textContent = text;
  }
  return node;
}

// --- Requests: each under a trace of its own, each an entry of the log ---

/** @param {number} length */
const randomBytes = (length) => crypto.getRandomValues(new Uint8Array(length));

/** @param {Uint8Array} bytes */
const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

/** A UUID, version 4. `crypto.randomUUID` is missing where the page came over plain HTTP from another machine. */
function randomUuid() {
  const bytes = randomBytes(16);
  bytes.set([(Number(bytes[6]) & 0x0f) | 0x40, Number(bytes[7]), (Number(bytes[8]) & 0x3f) | 0x80], 6);
  return hex(bytes).replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

/** @param {string} method @param {string} path @param {{ headers?: Record<string, string>, body?: string }} [init] */
async function request(method, path, init = {}) {
  const traceId = hex(randomBytes(16));
  const traceparent = `00-${traceId}-${hex(randomBytes(8))}-01`;
  const signal = AbortSignal.timeout(requestTimeoutMs);
  const startedMs = performance.now();
  /** @type {Answer} */
  let answer = { status: 0, data: undefined, headers: new Headers() };
  try {
    const response = await fetch(path, { ...init, method, signal, headers: { ...init.headers, traceparent } });
    answer = { ...answer, status: response.status, headers: response.headers };
    answer.data = await response.json();
  } catch {
    if (answer.status < 400) answer.status = 0; // half a success is no answer; a proxy's refusal need not be JSON
  }
  log({ method, path, trace: traceId, duration: `${Math.round(performance.now() - startedMs)} ms` }, answer);
  return answer;
}

/** @param {Record<string, string>} slots @param {Answer} answer */
function log(slots, answer) {
  const { status, data, headers } = answer;
  const good = status >= 200 && status < 300;
  const entry = build("entry", {
    ...slots,
    status: status ? `${status}` : "no answer",
    note: good ? [data?.message, data?.orderId].filter(Boolean).join(" ") : explain(answer),
    woke: describeWakes(headers.get("server-timing") ?? ""),
  });
  entry.dataset.tone = good ? "good" : status >= 400 && status < 500 ? "refused" : "failed";
  byId("log").prepend(entry);
  if (byId("log").childElementCount > logEntriesMax) byId("log").lastElementChild?.remove();
}

/** @param {Element} button */
async function copyTrace(button) {
  const code = /** @type {Element} */ (button.querySelector("code"));
  getSelection()?.selectAllChildren(code); // what Ctrl-C takes where there is no clipboard: on plain HTTP
  for (const copied of document.querySelectorAll(".copied")) copied.classList.remove("copied");
  try {
    await navigator.clipboard.writeText(code.textContent ?? "");
    button.classList.add("copied");
  } catch {}
}

// --- Products: on load, after an order, on focus. Never by a timer, which would keep the shop awake ---

let refreshes = 0;

async function refreshProducts() {
  const refresh = ++refreshes;
  const answer = await request("GET", "/api/products");
  if (refresh !== refreshes) return; // a later refresh knows better
  byId("products").ariaBusy = "false";
  if (answer.status === 200) showProducts(answer.data.products);
  else if (products.size > 0) byId("freshness").textContent = `Cannot refresh: ${explain(answer)}`;
  else showNoProducts("The products cannot be shown.", explain(answer));
}

/** @param {string} message @param {string} [reason] */
function showNoProducts(message, reason = "") {
  byId("products").replaceChildren(build("no-products", { message, reason }));
  byId("freshness").textContent = "";
}

/** @param {Product[]} list */
function showProducts(list) {
  const cards = byId("products");
  const sameItems = list.map(({ item }) => item).join() === [...products.keys()].join();
  products.clear();
  for (const product of list) products.set(product.item, product);
  // Known cards are filled in place: a refresh must not take the choice or the keyboard's focus away.
  if (!sameItems) cards.replaceChildren(...list.map(buildCard));
  list.forEach(({ name, price, currency, available }, index) => {
    const card = /** @type {HTMLElement} */ (cards.children[index]);
    /** @type {HTMLInputElement} */ (card.querySelector("input")).disabled = available < 1;
    card.classList.toggle("scarce", available < scarceBelow);
    card.classList.toggle("sold-out", available < 1);
    fill(card, { name, price: money(price, currency), stock: describeStock(available) });
  });
  if (byId("inventory").hasChildNodes()) showInventory(list.map(({ item, available }) => [item, available]));
  byId("freshness").textContent = `Stock as of ${new Date().toLocaleTimeString("en-GB")}`;
  const firstForSale = input('[name="item"]:enabled');
  if (firstForSale && !chosen()) firstForSale.checked = true;
  if (list.length === 0) showNoProducts("There is nothing to sell yet.");
  showTotal();
}

/** @param {Product} product */
function buildCard({ item, name }) {
  const card = build("product", { tile: name.slice(0, 1) });
  const radio = /** @type {HTMLInputElement} */ (card.querySelector("input"));
  radio.value = item;
  radio.checked = intended()?.line.item === item;
  if (byId(`picture-${item}-template`)) card.querySelector(".tile")?.replaceChildren(build(`picture-${item}`));
  return card;
}

const chosen = () => input('[name="item"]:checked:not([disabled])');

function showTotal() {
  const product = products.get(chosen()?.value ?? "");
  byId("total").textContent =
    product && quantity.validity.valid ? money(product.price * quantity.valueAsNumber, product.currency) : "–";
}

// --- One order: its key is stored before it is sent and kept until the shop has answered for good ---

/** @returns {Intent | null} */
const intended = () => JSON.parse(sessionStorage.getItem("order") ?? "null");

/** @returns {Intent} */
const newIntent = () => ({
  key: randomUuid(),
  line: { item: chosen()?.value ?? "", quantity: quantity.valueAsNumber },
});

/** @param {Answer} answer */
const isFinal = ({ status, data }) => data !== undefined && status < 500 && status !== 202 && status !== 429;

async function createOrder() {
  const intent = intended() ?? newIntent();
  sessionStorage.setItem("order", JSON.stringify(intent));
  const answer = await request("POST", "/api/orders", {
    headers: { "content-type": "application/json", "idempotency-key": intent.key },
    body: JSON.stringify(intent.line),
  });
  if (isFinal(answer)) sessionStorage.removeItem("order");
  showIntent();
  showAnswer(answer, describe(intent.line));
  await Promise.all([refreshProducts(), answer.data?.success && getOrders()]);
}

/** While an order has no final answer its choice is locked, and the one button asks for that very order again. */
function showIntent() {
  const waiting = intended() !== null;
  byId("create-order").textContent = waiting ? "Ask again" : "Create Order";
  byId("new-order").hidden = !waiting;
  if (waiting && byId("order").contains(document.activeElement)) byId("create-order").focus();
  choice.disabled = quantity.disabled = waiting;
}

async function forgetOrder() {
  sessionStorage.removeItem("order");
  showIntent();
  notify("", "");
  byId("create-order").focus();
}

/** @param {Answer} answer @param {string} what */
function showAnswer(answer, what) {
  const { status, data, headers } = answer;
  if (status === 201) {
    notify("good", data.message, `${what} for ${money(data.total, data.currency)}. ${data.orderId}`);
  } else if (status === 202) {
    notify("waiting", "Accepted, being settled", `${what}, kept as ${data.orderId}. Ask again to see how it ends.`);
  } else if (data?.code === "out_of_stock") {
    notify("refused", "Not enough in stock", `${what} is more than the shop has. Nothing was ordered.`);
  } else if (isFinal(answer)) {
    notify("refused", data.title, `${what}: ${explain(answer)}`);
  } else {
    const seconds = headers.get("retry-after");
    const when = seconds ? `in ${seconds} s` : "whenever you like";
    notify("waiting", data?.title ?? "No answer", `${what}: ask again ${when}. It is never ordered twice.`);
  }
}

/** @param {string} tone @param {string} title @param {string} [text] */
function notify(tone, title, text = "") {
  const strong = document.createElement("strong");
  strong.textContent = title;
  byId("notice").dataset.tone = tone;
  byId("notice").replaceChildren(strong, ` ${text}`);
}

// --- What the other buttons show ---

/** @param {string} panel @param {HTMLElement[]} facts @param {string} [empty] */
function showFacts(panel, facts, empty = "") {
  byId(panel).replaceChildren(...(facts.length ? facts : [build("fact", { name: empty })]));
}

async function getInventory() {
  const answer = await request("GET", "/api/inventory");
  if (answer.status !== 200) return showFacts("inventory", [], explain(answer));
  showInventory(Object.entries(answer.data));
  await refreshProducts();
}

/** @param {[item: string, units: number][]} stock */
function showInventory(stock) {
  const facts = stock.map(([name, units]) => build("fact", { name, value: `${units}` }));
  showFacts("inventory", facts, "The stock is empty.");
}

async function getUsers() {
  const answer = await request("GET", "/api/users");
  if (answer.status !== 200) return showFacts("users", [], explain(answer));
  const facts = answer.data.map((/** @type {{ id: number, name: string }} */ user) =>
    build("fact", { name: user.name, value: `#${user.id}` }),
  );
  showFacts("users", facts, "Nobody is registered yet.");
}

let nextCursor = "";

/** @param {string} [cursor] */
async function getOrders(cursor = "") {
  const query = new URLSearchParams({ limit: `${ordersPerPage}`, ...(cursor && { cursor }) });
  const answer = await request("GET", `/api/orders?${query}`);
  const good = answer.status === 200;
  if (cursor && !good) return; // what is shown stays, the log says why there is no more, and the button asks again
  const orders = good ? answer.data.orders.map(buildOrder) : [];
  if (cursor) byId("orders").append(...orders);
  else showFacts("orders", orders, good ? "You have not ordered yet." : explain(answer));
  nextCursor = answer.data?.nextCursor ?? "";
  byId("more-orders").hidden = !nextCursor;
}

/** @param {Order} order */
function buildOrder({ orderId, status, lines, total, currency, createdAt }) {
  const time = new Date(createdAt).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" });
  const node = build("order", {
    id: orderId,
    what: lines.map(describe).join(", "),
    total: total === undefined || !currency ? "" : money(total, currency),
    state: status.toLowerCase(),
    time,
  });
  node.dataset.tone = status;
  return node;
}

// --- Wiring ---

let busy = false;

/** One action at a time. `aria-disabled` instead of `disabled`: the button that is at work keeps the focus. */
async function act(/** @type {() => Promise<unknown>} */ action) {
  if (busy) return;
  setBusy(true);
  try {
    await action();
  } finally {
    setBusy(false);
  }
}

/** @param {boolean} state */
function setBusy(state) {
  busy = state;
  for (const button of document.querySelectorAll("[data-action]")) button.ariaDisabled = `${state}`;
}

byId("order").addEventListener("submit", (event) => {
  event.preventDefault();
  if (chosen() || intended()) act(createOrder);
});
byId("order").addEventListener("input", showTotal);
byId("new-order").addEventListener("click", () => act(forgetOrder));
byId("products").addEventListener("click", ({ target }) => {
  if (target instanceof HTMLButtonElement) act(refreshProducts);
});
byId("get-inventory").addEventListener("click", () => act(getInventory));
byId("get-users").addEventListener("click", () => act(getUsers));
byId("get-orders").addEventListener("click", () => act(getOrders));
byId("more-orders").addEventListener("click", () => act(() => getOrders(nextCursor)));
byId("log").addEventListener("click", ({ target }) => {
  const button = target instanceof Element && target.closest("button");
  if (button) copyTrace(button);
});
addEventListener("focus", refreshProducts);

const left = intended();
if (left) {
  quantity.valueAsNumber = left.line.quantity;
  notify("waiting", "No answer yet", `${describe(left.line)}: ask again. It is never ordered twice.`);
}
showIntent();
refreshProducts();
