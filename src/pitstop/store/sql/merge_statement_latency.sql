INSERT INTO statement_latency (fingerprint, bucket, count) VALUES (?, ?, ?)
ON CONFLICT DO UPDATE SET count = count + excluded.count
