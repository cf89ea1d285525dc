insert into users (id, name) values (1, 'Alice'), (2, 'Bob')
on conflict (id) do nothing;
