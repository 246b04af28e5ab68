-- Subscriptions are told by mail or to the webhook, too.
ALTER TABLE figure_subscription ADD COLUMN way TEXT NOT NULL DEFAULT '';      -- mail, webhook, '' the home page alone
ALTER TABLE figure_subscription ADD COLUMN address TEXT NOT NULL DEFAULT '';  -- of mail
ALTER TABLE figure_subscription ADD COLUMN told BIGINT NOT NULL DEFAULT 0;    -- the day after the last period that was told or given up
ALTER TABLE figure_subscription ADD COLUMN trouble TEXT NOT NULL DEFAULT '';  -- why that was not told, '': it was
