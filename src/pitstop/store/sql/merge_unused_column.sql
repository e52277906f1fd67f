INSERT INTO unused_column (scope_kind, scope, fingerprint, location, entity, attribute, table_name, column_name, type)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO NOTHING
