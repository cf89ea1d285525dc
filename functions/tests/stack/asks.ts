export type Ask = { method: string; path: string; route: string; status: number };

/** What `users` can be asked, and what it answers. */
export const asks: readonly Ask[] = [
  { method: "GET", path: "/users", route: "/users", status: 200 },
  { method: "GET", path: "/users/1", route: "/users/:id", status: 200 },
  { method: "GET", path: "/users/99", route: "/users/:id", status: 404 },
  { method: "GET", path: "/users/x", route: "/users/:id", status: 400 },
  { method: "HEAD", path: "/users", route: "/users", status: 200 },
  { method: "POST", path: "/users", route: "unmatched", status: 405 },
  { method: "GET", path: "/nowhere", route: "unmatched", status: 404 },
];

export function anyAsk(random = Math.random): Ask {
  const ask = asks[Math.floor(random() * asks.length)];
  if (!ask) throw new Error("random() is not below 1");
  return ask;
}
