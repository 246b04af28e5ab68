ALTER TABLE account_token ADD COLUMN area TEXT NOT NULL DEFAULT ''; -- 12 digits: it opens nothing that lies elsewhere; empty: no bound of its own
