/** @jsxImportSource hono/jsx */
import { Layout, render } from "./layout.tsx";
import { Pictures } from "./pictures.tsx";

/** What the script clones: it fills the slots with text, so no string ever becomes markup. */
function Templates() {
  return (
    <>
      <template id="product-template">
        <li class="product">
          <label>
            <input type="radio" name="item" required />
            <span class="tile" aria-hidden="true" data-slot="tile"></span>
            <span class="name" data-slot="name"></span>
            <span class="price" data-slot="price"></span>
            <span class="stock" data-slot="stock"></span>
          </label>
        </li>
      </template>
      <template id="no-products-template">
        <li class="no-products">
          <strong data-slot="message"></strong>
          <span data-slot="reason"></span>
          <button type="button" data-action>
            Look again
          </button>
        </li>
      </template>
      <template id="entry-template">
        <li class="entry">
          <span class="request">
            <b data-slot="method"></b> <span data-slot="path"></span>
          </span>
          <span class="status" data-slot="status"></span>
          <span class="duration" data-slot="duration"></span>
          <span class="note" data-slot="note"></span>
          <span class="woke" data-slot="woke"></span>
          <button class="trace" type="button" title="Copy the trace id">
            <span>trace</span> <code data-slot="trace"></code>
          </button>
        </li>
      </template>
      <template id="fact-template">
        <li>
          <span data-slot="name"></span>
          <b data-slot="value"></b>
        </li>
      </template>
      <template id="order-template">
        <li class="placed">
          <span data-slot="what"></span>
          <b data-slot="total"></b>
          <time data-slot="time"></time>
          <span class="state" data-slot="state"></span>
          <code data-slot="id"></code>
        </li>
      </template>
    </>
  );
}

function Order() {
  return (
    <form id="order" class="order">
      <div class="heading">
        <h2 id="products-title">Products</h2>
        <p id="freshness">Waking the shop…</p>
      </div>
      <fieldset id="choice" aria-labelledby="products-title">
        <ul id="products" class="products" aria-busy="true">
          {[1, 2, 3].map(() => (
            <li class="product skeleton" aria-hidden="true"></li>
          ))}
        </ul>
      </fieldset>
      <noscript>This page needs its script, which asks the shop's API for everything else.</noscript>
      <div class="bar">
        <label for="quantity">Quantity</label>
        <input id="quantity" type="number" inputmode="numeric" min="1" max="1000" value="1" required />
        <p>
          Total <output id="total" for="products quantity"></output>
        </p>
        <button id="new-order" type="button" data-action hidden>
          New order
        </button>
        <button id="create-order" type="submit" class="primary" data-action>
          Create Order
        </button>
      </div>
      <p id="notice" role="status"></p>
    </form>
  );
}

type Panel = { name: string; title: string; action: string; more?: boolean };

function Panel({ name, title, action, more }: Panel) {
  return (
    <section class="panel" aria-labelledby={`${name}-title`}>
      <h2 id={`${name}-title`}>{title}</h2>
      <button id={`get-${name}`} type="button" data-action>
        {action}
      </button>
      <ul id={name} class="facts" aria-live="polite"></ul>
      {more && (
        <button id={`more-${name}`} class="more" type="button" data-action hidden>
          More
        </button>
      )}
    </section>
  );
}

/** The shop's page, without data: its script asks the API, so the page itself wakes no other function. */
export const renderPage = (): string =>
  render(
    <Layout title="Shop" scripts={["/page.js"]}>
      <main class="shop">
        <div class="intro">
          <h1>Asleep until you shop.</h1>
          <p>
            Five edge functions that cost nothing while nobody is here. Your click wakes the ones it needs, and the log
            shows what that took.
          </p>
        </div>
        <Order />
        <aside class="log" aria-labelledby="log-title">
          <h2 id="log-title">Log</h2>
          <div class="entries" role="log" aria-labelledby="log-title" tabindex={0}>
            <ol id="log"></ol>
          </div>
        </aside>
        <div class="panels">
          <Panel name="inventory" title="Inventory" action="Get Inventory" />
          <Panel name="users" title="Users" action="Get Users" />
          <Panel name="orders" title="My orders" action="Get Orders" more />
        </div>
      </main>
      <Templates />
      <Pictures />
    </Layout>,
  );
