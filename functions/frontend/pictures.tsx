/** @jsxImportSource hono/jsx */
import type { PropsWithChildren } from "hono/jsx";

const Picture = ({ item, children }: PropsWithChildren<{ item: string }>) => (
  <template id={`picture-${item}-template`}>
    <svg class="picture" viewBox="0 0 96 72" aria-hidden="true">
      {children}
    </svg>
  </template>
);

/** Drawings of what the seed sells; an item without one shows its initial. */
export const Pictures = () => (
  <>
    <Picture item="item1">
      <path class="soft" d="M30 24h32v26a8 8 0 0 1-8 8H38a8 8 0 0 1-8-8z" />
      <path d="M30 24h32v26a8 8 0 0 1-8 8H38a8 8 0 0 1-8-8z" />
      <path d="M62 30h4a8 8 0 0 1 0 17h-4M30 30h32" />
      <path d="M40 17c-3-3 3-5 0-9M52 17c-3-3 3-5 0-9" />
    </Picture>
    <Picture item="item2">
      <path class="soft" d="M28 22h38a8 8 0 0 1 8 8v22a6 6 0 0 1-6 6H28a6 6 0 0 1-6-6V28a6 6 0 0 1 6-6z" />
      <path d="M74 32v20a6 6 0 0 1-6 6H28a6 6 0 0 1 0-12h40a6 6 0 0 0 6-6" />
      <path d="M28 46a6 6 0 0 1 0-12h40a6 6 0 0 0 6-6" />
      <path d="M28 34a6 6 0 0 1 0-12h38a8 8 0 0 1 8 8v2M38 22v12M44 22v12M38 46v12M44 46v12" />
    </Picture>
    <Picture item="item3">
      <path class="soft" d="M38 32h20v26H38z" />
      <path d="M38 32h20v26H38zM28 58h40" />
      <path d="M48 32v-6M48 26c-5-3-5-8 0-14 5 6 5 11 0 14z" />
      <path d="M38 37c4 0 3 7 6 7s2-6 5-6 4 3 9 2" />
    </Picture>
  </>
);
