-- Months of bundles: posts that lie in one hall, with one unit's business, are added up together, so that a year of a province is not read post by
-- post. A bundle is named by its first post. Nothing is assumed of it: where its posts are asked for apart, they are read apart.
ALTER TABLE report_post ADD COLUMN bundle BIGINT NOT NULL DEFAULT 0; -- 0: none
ALTER TABLE report_post ADD COLUMN changed BIGINT NOT NULL DEFAULT 0; -- report_state.step after which the row is as it is
CREATE INDEX report_post_changed ON report_post (changed);
CREATE TABLE report_bundle (
  id   BIGINT PRIMARY KEY,               -- month << 32 | bundle
  sums BYTEA NOT NULL                    -- of report_count's rows with split 0 and grain 1
);
