-- weight: 900
SELECT * FROM members WHERE lower(email) = 'member777@shop27.example';
-- weight: 600
SELECT id, status, total, created_at FROM orders WHERE tenant_id = 7 ORDER BY created_at DESC LIMIT 20;
-- weight: 500
SELECT * FROM orders WHERE member_id = 4711 ORDER BY created_at DESC LIMIT 10;
-- weight: 500
SELECT i.*, p.title FROM items i JOIN products p ON p.id = i.product_id WHERE i.order_id = 12345;
-- weight: 400
SELECT * FROM products WHERE tenant_id = 12 AND sku = 'SKU-055433';
-- weight: 300
SELECT id, title, price FROM products WHERE tenant_id = 9 AND active ORDER BY price LIMIT 24;
-- weight: 200
SELECT id, member_id, created_at FROM orders WHERE status = 'pending' ORDER BY created_at LIMIT 50;
-- weight: 150
SELECT count(*) FROM orders WHERE tenant_id = 3 AND status = 'failed';
-- weight: 120
SELECT sum(total) FROM orders WHERE tenant_id = 21 AND created_at >= '2026-06-01' AND created_at < '2026-07-01';
-- weight: 100
SELECT id, title FROM products WHERE title LIKE '%product 5f3a%';
-- weight: 100
SELECT id, title FROM products WHERE attributes @> '{"lot": 77}';
-- weight: 80
SELECT id, title FROM products WHERE to_tsvector('english', description) @@ to_tsquery('english', 'word77 & word5') LIMIT 20;
-- weight: 80
SELECT * FROM events WHERE tenant_id = 5 AND kind = 'error' ORDER BY at DESC LIMIT 50;
-- weight: 60
SELECT kind, count(*) FROM events WHERE at >= '2026-07-20' AND at < '2026-07-21' GROUP BY kind;
-- weight: 50
SELECT m.name, count(*), sum(o.total) FROM members m JOIN orders o ON o.member_id = m.id
 WHERE m.tenant_id = 17 AND m.deleted_at IS NULL GROUP BY m.id, m.name ORDER BY 3 DESC LIMIT 10;
-- weight: 40
SELECT p.id, p.title, sum(i.quantity) FROM products p JOIN items i ON i.product_id = p.id
 WHERE p.tenant_id = 30 GROUP BY p.id, p.title ORDER BY 3 DESC LIMIT 10;
-- weight: 30
SELECT * FROM orders WHERE paid_at IS NULL AND created_at < '2025-03-01' ORDER BY created_at LIMIT 100;
-- weight: 20
SELECT * FROM members WHERE tenant_id = 2 AND joined_at > '2026-08-01' AND deleted_at IS NULL ORDER BY joined_at DESC;
-- weight: 20
SELECT max(created_at) FROM orders WHERE member_id = 99;
-- weight: 10
SELECT date_trunc('month', created_at), sum(total) FROM orders WHERE tenant_id = 8 GROUP BY 1 ORDER BY 1;
-- weight: 5
SELECT * FROM members m WHERE NOT EXISTS (SELECT FROM orders o WHERE o.member_id = m.id) AND m.tenant_id = 40;
-- weight: 700
INSERT INTO events VALUES (0, 1, 'view', now(), '{}');
-- weight: 300
UPDATE orders SET status = 'sent' WHERE id = 17;
