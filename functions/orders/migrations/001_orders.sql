-- Up Migration
create table orders (
  id text collate "C" primary key,
  key uuid not null unique,
  subject text not null,
  body_sha256 text not null,
  lines jsonb not null,
  status text not null default 'PENDING' check (status in ('PENDING', 'CONFIRMED', 'REJECTED')),
  prices jsonb check ((status = 'CONFIRMED') = (prices is not null)),
  total bigint check ((status = 'CONFIRMED') = (total is not null)),
  currency text check ((status = 'CONFIRMED') = (currency is not null)),
  reason jsonb check ((status = 'REJECTED') = (reason is not null)),
  created_at timestamptz not null default clock_timestamp(),
  settled_at timestamptz check ((status = 'PENDING') = (settled_at is null))
);
comment on column orders.subject is 'SHA-256 of the visitor''s secret, or anonymous';
comment on column orders.lines is '[{item, quantity}] as the customer sent them';
comment on column orders.prices is '[{item, unitPrice}] as inventory granted them';
comment on column orders.total is 'minor units of currency';
comment on column orders.reason is '{code, item} as inventory refused it';

create index orders_of_subject on orders (subject, id desc);
create index orders_pending on orders (id) where status = 'PENDING';
