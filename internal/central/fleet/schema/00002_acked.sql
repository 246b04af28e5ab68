-- When the last batch of the box was acknowledged, milliseconds since 1970-01-01 UTC, noted with the box's health.
ALTER TABLE device_state ADD COLUMN acked_at BIGINT;
