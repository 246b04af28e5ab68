-- Finds what people did among the many rows that boxes wrote.
CREATE INDEX entry_acts ON entry (pos) WHERE kind = 'act';
