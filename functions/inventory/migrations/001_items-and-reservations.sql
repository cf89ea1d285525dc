-- Up Migration
create table items (
  item text primary key,
  name text not null,
  price bigint not null check (price >= 0),
  initial bigint not null check (initial >= 0),
  available bigint not null check (available >= 0)
);
comment on column items.price is 'minor units of the shop''s currency';

-- One row is the one answer to one order, for ever. Only a running transaction sees it without an outcome.
create table reservations (
  order_id text primary key,
  lines jsonb not null,
  outcome text check (outcome in ('granted', 'refused')),
  prices jsonb check ((outcome = 'granted') = (prices is not null)),
  reason jsonb check ((outcome = 'refused') = (reason is not null)),
  created_at timestamptz not null default clock_timestamp()
);
comment on column reservations.lines is '[{item, quantity}], one an item, in item order';
comment on column reservations.prices is '[{item, unitPrice}] of a granted one';
comment on column reservations.reason is '{code, item} of a refused one';
