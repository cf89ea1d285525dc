export type Placed = {
  key: string;
  status: number;
  headers: Headers;
  text: string;
  /** Of the order, also where it was refused; undefined where the answer has none. */
  orderId: string | undefined;
};

type Wish = { key?: string; item?: string; quantity?: number; headers?: Record<string, string> };

/** Places an order at a gateway or a frontend, as a customer does who keeps the order's key. */
export async function placeOrder(
  baseUrl: string,
  { key = crypto.randomUUID(), item = "item1", quantity = 1, headers = {} }: Wish = {},
): Promise<Placed> {
  const response = await fetch(`${baseUrl}/api/orders`, {
    method: "POST",
    headers: { "Content-Type": "application/json", "Idempotency-Key": key, ...headers },
    body: JSON.stringify({ item, quantity }),
  });
  const text = await response.text();
  const { orderId } = JSON.parse(text) as { orderId?: string };
  return { key, status: response.status, headers: response.headers, text, orderId };
}
