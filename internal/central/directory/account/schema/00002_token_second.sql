-- A token made before counts as made without a second factor.
ALTER TABLE account_token ADD COLUMN second BIGINT NOT NULL DEFAULT 0; -- 1: whoever made it had shown a second factor
