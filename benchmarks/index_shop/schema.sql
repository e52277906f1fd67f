-- A shop of many tenants, with nothing but its primary keys.
SELECT setseed(0.25);
CREATE TABLE tenants (id int PRIMARY KEY, name text, plan text);
CREATE TABLE members (
    id int PRIMARY KEY, tenant_id int REFERENCES tenants, email text, name text, joined_at timestamptz,
    deleted_at timestamptz
);
CREATE TABLE products (
    id int PRIMARY KEY, tenant_id int REFERENCES tenants, sku text, title text, price numeric(10, 2), active bool,
    attributes jsonb, description text
);
CREATE TABLE orders (
    id int PRIMARY KEY, tenant_id int REFERENCES tenants, member_id int REFERENCES members, status text,
    total numeric(10, 2), created_at timestamptz, paid_at timestamptz, note text
);
CREATE TABLE items (
    id int PRIMARY KEY, order_id int REFERENCES orders, product_id int REFERENCES products, quantity int,
    price numeric(10, 2)
);
CREATE TABLE events (
    id bigint PRIMARY KEY, tenant_id int, kind text, at timestamptz, payload jsonb
);
INSERT INTO tenants SELECT i, 'tenant ' || i, (array['free', 'pro', 'team'])[1 + i % 3] FROM generate_series(1, 200) AS i;
INSERT INTO members
SELECT i, 1 + (power(random(), 2) * 199)::int, 'Member' || i || '@Shop' || i % 50 || '.example', 'name ' || md5(i::text),
       '2025-01-01'::timestamptz + random() * interval '600 days', CASE WHEN random() < 0.05 THEN now() END
  FROM generate_series(1, 60000) AS i;
INSERT INTO products
SELECT i, 1 + (power(random(), 2) * 199)::int, 'SKU-' || lpad((i * 7919 % 1000000)::text, 6, '0'),
       'product ' || md5(i::text), (random() * 500)::numeric(10, 2), random() < 0.8,
       jsonb_build_object('colour', (array['red', 'blue', 'green', 'black'])[1 + i % 4], 'size', i % 60, 'lot', i % 2000),
       (SELECT string_agg('word' || (random() * random() * 3000)::int, ' ') FROM generate_series(1, 15 + i * 0) AS w)
  FROM generate_series(1, 30000) AS i;
INSERT INTO orders
SELECT i, tenant_id, members.id, CASE WHEN random() < 0.01 THEN 'pending' WHEN random() < 0.03 THEN 'failed'
       ELSE (array['paid', 'sent', 'done'])[1 + i % 3] END, (random() * 900)::numeric(10, 2),
       '2025-01-01'::timestamptz + i * interval '3 minutes', CASE WHEN random() < 0.9 THEN now() END, repeat('n', 60)
  FROM (SELECT i, 1 + (random() * 59999)::int AS who FROM generate_series(1, 300000) AS i) AS made
  JOIN members ON members.id = who;
INSERT INTO items
SELECT i, 1 + (random() * 299999)::int, 1 + (random() * 29999)::int, 1 + i % 5, (random() * 100)::numeric(10, 2)
  FROM generate_series(1, 600000) AS i;
INSERT INTO events
SELECT i, 1 + (random() * 199)::int, (array['view', 'click', 'buy', 'login', 'error'])[1 + (random() * random() * 4)::int],
       '2026-01-01'::timestamptz + i * interval '1 minute', jsonb_build_object('page', i % 3000, 'ip', md5((i % 9000)::text))
  FROM generate_series(1, 300000) AS i;
