ALTER TABLE fleet_alert ADD COLUMN tried BIGINT NOT NULL DEFAULT 0; -- when the receiver of alerts did not take it last, 0: it was not asked in vain
