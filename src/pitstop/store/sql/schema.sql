CREATE TABLE IF NOT EXISTS scope (
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    count INTEGER NOT NULL,
    errors INTEGER NOT NULL,
    total_ms REAL NOT NULL,
    max_ms REAL NOT NULL,
    statements INTEGER NOT NULL,
    max_statements INTEGER NOT NULL,
    first_seen REAL NOT NULL,
    last_seen REAL NOT NULL,
    PRIMARY KEY (kind, name)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS latency (
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    bucket INTEGER NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (kind, name, bucket)
) WITHOUT ROWID;

-- by statement alone, because a row for each route and line as well would fill the record
CREATE TABLE IF NOT EXISTS statement_latency (
    fingerprint TEXT NOT NULL,
    bucket INTEGER NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (fingerprint, bucket)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS statement_text (
    fingerprint TEXT PRIMARY KEY,
    text TEXT NOT NULL
);

-- a location is a JSON array [file, line, function], or null, and callers are an array of them
CREATE TABLE IF NOT EXISTS statement (
    scope_kind TEXT NOT NULL,
    scope TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    location TEXT NOT NULL,
    calls INTEGER NOT NULL,
    total_ms REAL NOT NULL,
    max_ms REAL NOT NULL,
    rows INTEGER NOT NULL,
    last_seen REAL NOT NULL,
    skipped INTEGER NOT NULL,
    PRIMARY KEY (scope_kind, scope, fingerprint, location)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS unused_column (
    scope_kind TEXT NOT NULL,
    scope TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    location TEXT NOT NULL,
    entity TEXT NOT NULL,
    attribute TEXT NOT NULL,
    table_name TEXT NOT NULL,
    column_name TEXT NOT NULL,
    type TEXT NOT NULL,
    PRIMARY KEY (scope_kind, scope, fingerprint, location, entity, attribute)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS n_plus_one (
    scope_kind TEXT NOT NULL,
    scope TEXT NOT NULL,
    kind TEXT NOT NULL,
    parent TEXT NOT NULL,
    relationship TEXT NOT NULL,
    query_location TEXT NOT NULL,
    location TEXT NOT NULL,
    cure TEXT NOT NULL,
    imports TEXT NOT NULL,
    is_expression INTEGER NOT NULL,
    requests INTEGER NOT NULL,
    extra INTEGER NOT NULL,
    max_extra INTEGER NOT NULL,
    total_ms REAL NOT NULL,
    last_seen REAL NOT NULL,
    callers TEXT NOT NULL,
    PRIMARY KEY (scope_kind, scope, kind, parent, relationship, query_location, location, callers)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS cache (
    namespace TEXT PRIMARY KEY,
    hits INTEGER NOT NULL,
    misses INTEGER NOT NULL,
    refused INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS pool (
    name TEXT PRIMARY KEY,
    waits INTEGER NOT NULL,
    exhausted INTEGER NOT NULL,
    wait_ms REAL NOT NULL,
    max_wait_ms REAL NOT NULL,
    held_by TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS pool_settings (
    database TEXT NOT NULL,
    driver TEXT NOT NULL,
    pool TEXT NOT NULL,
    size INTEGER NOT NULL,
    overflow INTEGER NOT NULL,
    recycle_s INTEGER NOT NULL,
    pre_ping INTEGER NOT NULL,
    PRIMARY KEY (database, driver, pool)
) WITHOUT ROWID;
