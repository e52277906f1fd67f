INSERT OR REPLACE INTO pool_settings (database, driver, pool, size, overflow, recycle_s, pre_ping)
VALUES (?, ?, ?, ?, ?, ?, ?)
