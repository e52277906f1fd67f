INSERT INTO statement_text (fingerprint, text) VALUES (?, ?) ON CONFLICT DO NOTHING
