-- JSON list of tags; NULL means none.
ALTER TABLE message ADD COLUMN tags TEXT;
