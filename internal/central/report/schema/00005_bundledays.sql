-- Bundles have days, too: a period that begins and ends within months is not read post by post. All posts are bundled anew.
UPDATE report_post SET bundle = 0 WHERE bundle <> 0;
DELETE FROM report_bundle;
