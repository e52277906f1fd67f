INSERT INTO cache (namespace, hits, misses, refused)
VALUES (?, ?, ?, ?)
ON CONFLICT DO UPDATE SET
    hits = hits + excluded.hits,
    misses = misses + excluded.misses,
    refused = refused + excluded.refused
