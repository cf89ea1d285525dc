insert into items (item, name, price, initial, available) values
  ('item1', 'Enamel mug', 1450, 100, 100),
  ('item2', 'Wool blanket', 8900, 50, 50),
  ('item3', 'Beeswax candle', 690, 200, 200)
on conflict (item) do nothing;
