-- Since when (milliseconds since 1970-01-01 UTC) the message about the act `sending` is being sent. It may be long after the deed: nobody is written to at night.
ALTER TABLE rectify_told ADD COLUMN since BIGINT NOT NULL DEFAULT 0;
