import { randomInt } from "node:crypto";

/** Where something may come to light. */
export type Place = "log" | "span" | "metric" | "reply";

/** Text that was told somewhere, byte by byte (latin1) where it came as bytes. */
export type Sighting = { place: Place; text: string };

export type Secret = {
  value: string;
  /** The parts of it that every encoding for texts leaves as they are; one is enough to know it by. */
  pieces: string[];
  /** Where it is shown on purpose, and why. */
  allowed?: { places: readonly Place[]; why: string };
};

const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
const piece = () => Array.from({ length: 9 }, () => letters[randomInt(letters.length)]).join("");

/** Of letters alone. */
function word(): Secret {
  const value = piece();
  return { value, pieces: [value] };
}

/** Pieces with characters between them that every encoding writes differently. */
function secret(): Secret {
  const pieces = [piece(), piece(), piece()] as const;
  return { value: `${pieces[0]}"${pieces[1]}+/${pieces[2]}`, pieces: [...pieces] };
}

function uuid(): Secret {
  const value = crypto.randomUUID();
  return { value, pieces: value.split("-").slice(-1) };
}

const cased = ({ value, pieces }: Secret, change: (text: string) => string): Secret => ({
  value: change(value),
  pieces: pieces.map(change),
});

/** What must never be told, each with a value of its own. */
export function createSecrets() {
  const ownKey = { places: ["reply"], why: "the key is handed back to whoever sent it, to ask again with" } as const;
  return {
    "bearer token": secret(),
    "Basic password": secret(),
    "Proxy-Authorization": secret(),
    "X-Api-Key": secret(),
    "visitor cookie": uuid(),
    "another cookie": secret(),
    "Idempotency-Key": { ...uuid(), allowed: ownKey },
    "Idempotency-Key in capitals": { ...cased(uuid(), (text) => text.toUpperCase()), allowed: ownKey },
    "malformed Idempotency-Key": secret(),
    "API key in the query": secret(),
    "value in the cursor": secret(),
    "path of no route": secret(),
    "parameter in a path": secret(),
    "parameter below a route": secret(),
    "unknown field of a body": secret(),
    "name of a field": secret(),
    "nested value": secret(),
    "item of an order": secret(),
    "quantity of an order": secret(),
    "item that is well formed": {
      ...cased(word(), (text) => text.toLowerCase()),
      allowed: {
        places: ["reply", "span"],
        why: "an order shows its lines to its visitor, and a path that fits its route is told",
      },
    },
    "malformed JSON": secret(),
    "JSON beside invalid UTF-8": secret(),
    "body that is too large": secret(),
    "form field": secret(),
    "boundary of a form": secret(),
    traceparent: secret(),
    tracestate: secret(),
    baggage: secret(),
    "X-Request-Id": {
      ...word(),
      allowed: { places: ["log", "reply"], why: "it is the caller's own name for the request, taken to find it by" },
    },
    "malformed X-Request-Id": secret(),
    "User-Agent": secret(),
    Referer: secret(),
    "X-Forwarded-For": secret(),
    Forwarded: secret(),
    Host: word(),
    "method of a request": word(),
    "user of the database": secret(),
    "password of the database": secret(),
    "parameter of the database's URL": secret(),
    "header to the collector": secret(),
    "user of the collector": secret(),
    "password of the collector": secret(),
    "user of a peer": secret(),
    "password of a peer": secret(),
    "value of a bad variable": secret(),
  } satisfies Record<string, Secret>;
}

export type Secrets = ReturnType<typeof createSecrets>;

const shownMax = 300;

/** Every secret that is seen where it should not be, with the first text around it. */
export function leaks(secrets: Record<string, Secret>, sightings: readonly Sighting[]): string[] {
  const texts = sightings.map(({ place, text }) => ({ place, text, folded: text.toLowerCase() }));
  return Object.entries(secrets).flatMap(([name, { pieces, allowed }]) => {
    const forms = formsOf(pieces);
    for (const { place, text, folded } of texts) {
      const at = allowed?.places.includes(place) ? -1 : positionOf(forms, text, folded);
      if (at >= 0) return [`${name}, in a ${place}: …${text.slice(Math.max(0, at - shownMax), at + shownMax)}…`];
    }
    return [];
  });
}

type Forms = { inAnyCase: string[]; asIs: string[] };

/** As it is, in small letters, percent-encoded or escaped (all the same to a piece), in hexadecimal, in Base64. */
const formsOf = (pieces: string[]): Forms => ({
  inAnyCase: pieces.flatMap((piece) => [piece.toLowerCase(), Buffer.from(piece).toString("hex")]),
  asIs: pieces.flatMap(base64Forms),
});

/** Where the first of them is; -1 when none is. */
function positionOf({ inAnyCase, asIs }: Forms, text: string, folded: string): number {
  const found = [...inAnyCase.map((form) => folded.indexOf(form)), ...asIs.map((form) => text.indexOf(form))];
  return Math.max(...found);
}

/** As it stands in the Base64 of a longer text, by how many bytes come before it. */
function base64Forms(piece: string): string[] {
  return [0, 1, 2].map((before) => {
    const text = Buffer.from("\0".repeat(before) + piece).toString("base64url");
    return text.slice(before === 0 ? 0 : before + 1, -2);
  });
}
