-- A database with what real ones have: odd names, schemas, partitions, parents, views, types of all kinds.
SELECT setseed(0.5);

CREATE SCHEMA "Sales Data"; CREATE SCHEMA app; CREATE EXTENSION citext; 
CREATE TYPE mood AS ENUM ('sad','ok','happy','new','odd');
CREATE DOMAIN mail AS text CHECK (value like '%@%');
CREATE TABLE "Sales Data"."Order Lines" ("Id" int PRIMARY KEY, "Customer Id" int, "Select" text, note text);
INSERT INTO "Sales Data"."Order Lines" SELECT i, i%5000, 's'||i%7, repeat('x',60) FROM generate_series(1,60000) i;
CREATE TABLE app.things (id int PRIMARY KEY, owner int, m mood, address mail, ci citext, tags int[], words text[],
  during tstzrange, search tsvector GENERATED ALWAYS AS (to_tsvector('english', 'w')) STORED, data jsonb, at timestamptz, active bool, gone timestamptz,
  total numeric, twice numeric GENERATED ALWAYS AS (total*2) STORED, name text, ip inet, u uuid, body tsvector);
INSERT INTO app.things(id,owner,m,address,ci,tags,words,during,data,at,active,gone,total,name,ip,u,body)
 SELECT i, i%3000, (array['sad','ok','happy','new'])[1+i%4]::mood, 'a'||i||'@x.y', 'N'||i, array[i%1000,i%77], array['t'||i%500,'q'||i%9],
 tstzrange('2026-01-01'::timestamptz + i*interval '1 min', '2026-01-01'::timestamptz + (i+30)*interval '1 min'),
 jsonb_build_object('k', i%900, 'email', 'e'||i), '2026-01-01'::timestamptz + (i*7919%100000)*interval '1 min', i%50<>0, case when i%40=0 then now() end, i%997, md5(i::text)||' '||md5((i+1)::text), ('10.0.'||(i/256)%256||'.'||i%256)::inet, gen_random_uuid(), to_tsvector('simple','w'||i%3000||' v'||i%10)
 FROM generate_series(1,60000) i;
CREATE TABLE app.empty (id int PRIMARY KEY, a int);
CREATE TABLE app.fresh (id int, a int, b text);
CREATE TABLE app.parts (id int, tenant int, at date, v text) PARTITION BY RANGE (at);
CREATE TABLE app.parts_1 PARTITION OF app.parts FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE TABLE app.parts_2 PARTITION OF app.parts FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
INSERT INTO app.parts SELECT i, i%2000, '2026-01-01'::date + i%58, repeat('y',40) FROM generate_series(1,60000) i;
CREATE TABLE app.base (id int, k int, v text); CREATE TABLE app.child (extra int) INHERITS (app.base);
INSERT INTO app.base SELECT i, i%4000, repeat('z',50) FROM generate_series(1,30000) i;
INSERT INTO app.child SELECT i, i%4000, repeat('z',50), i FROM generate_series(1,30000) i;
CREATE VIEW app.active_things AS SELECT * FROM app.things WHERE active;
CREATE TABLE app.links (thing int REFERENCES app.things, other int, kind text);
INSERT INTO app.links SELECT 1+i%60000, i%777, 'k'||i%5 FROM generate_series(1,60000) i;
ANALYZE "Sales Data"."Order Lines", app.things, app.parts, app.base, app.child, app.links, app.empty;
INSERT INTO app.fresh SELECT i, i % 5000, repeat('f', 50) FROM generate_series(1, 40000) AS i;
