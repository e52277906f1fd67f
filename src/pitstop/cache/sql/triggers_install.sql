-- Tags of the rows of {table} that a statement changed, as they were and as they are; their families for many rows.
CREATE OR REPLACE FUNCTION {function}() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET datestyle = 'ISO, YMD' AS $tell$
DECLARE
    found text[];
    families CONSTANT text[] := ARRAY[{families}];
    many CONSTANT integer := 1000;
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        found := families;
    ELSIF TG_OP = 'INSERT' THEN
        IF (SELECT count(*) FROM (SELECT FROM new_rows LIMIT many + 1) AS few) > many THEN
            found := families;
        ELSE
            SELECT array_agg(DISTINCT tag) INTO found
              FROM new_rows AS one, unnest(ARRAY[{tags}]) AS tag;
        END IF;
    ELSE
        IF (SELECT count(*) FROM (SELECT FROM old_rows LIMIT many + 1) AS few) > many THEN
            found := families;
        ELSIF TG_OP = 'DELETE' THEN
            SELECT array_agg(DISTINCT tag) INTO found
              FROM old_rows AS one, unnest(ARRAY[{tags}]) AS tag;
        ELSE
            SELECT array_agg(DISTINCT tag) INTO found
              FROM (SELECT * FROM old_rows UNION ALL SELECT * FROM new_rows) AS one, unnest(ARRAY[{tags}]) AS tag;
        END IF;
    END IF;
    IF found IS NOT NULL THEN
        INSERT INTO {schema}.pitstop_outbox (namespace, tags) VALUES ({namespace}, found);
    END IF;
    RETURN NULL;
END
$tell$;

COMMENT ON FUNCTION {function}() IS 'pitstop: tells the cache what changes';

DROP TRIGGER IF EXISTS pitstop_tell_insert ON {table};
DROP TRIGGER IF EXISTS pitstop_tell_update ON {table};
DROP TRIGGER IF EXISTS pitstop_tell_delete ON {table};
DROP TRIGGER IF EXISTS pitstop_tell_truncate ON {table};

CREATE TRIGGER pitstop_tell_insert AFTER INSERT ON {table}
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION {function}();
CREATE TRIGGER pitstop_tell_update AFTER UPDATE ON {table}
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION {function}();
CREATE TRIGGER pitstop_tell_delete AFTER DELETE ON {table}
    REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION {function}();
CREATE TRIGGER pitstop_tell_truncate AFTER TRUNCATE ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION {function}();
