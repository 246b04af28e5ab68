-- Aggregates by cause (report_count.split 3) are new: all is looked at from the beginning once more, which adds them.
UPDATE report_state SET generation = 0 WHERE id = 1;
