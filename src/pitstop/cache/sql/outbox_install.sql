CREATE TABLE {schema}.pitstop_outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    namespace text NOT NULL,
    tags text[] NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

COMMENT ON TABLE {schema}.pitstop_outbox IS 'pitstop: cache invalidations on their way to Redis';

-- Before COMMIT: a row whose tags the writer has fenced itself is not needed; for others those who listen are woken.
CREATE FUNCTION {schema}.pitstop_outbox_settle() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $settle$
DECLARE
    fenced CONSTANT text[] := coalesce(nullif(current_setting('pitstop.fenced', true), ''), '{{}}');
BEGIN
    IF EXISTS (
        SELECT FROM unnest(NEW.tags) AS told(tag)
          LEFT JOIN unnest(fenced) AS itself(name)
            ON itself.name = NEW.namespace || '/' || tag
          LEFT JOIN unnest(fenced) AS family(name)
            ON family.name = NEW.namespace || '/' || split_part(tag, ':', 1) || ':' || split_part(tag, ':', 2)
         WHERE itself.name IS NULL AND family.name IS NULL
    ) THEN
        PERFORM pg_notify('pitstop_outbox', '');
    ELSE
        DELETE FROM {schema}.pitstop_outbox WHERE id = NEW.id;
    END IF;
    RETURN NULL;
END
$settle$;

CREATE CONSTRAINT TRIGGER pitstop_outbox_settle AFTER INSERT ON {schema}.pitstop_outbox
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION {schema}.pitstop_outbox_settle();
