-- What the token of a customer's portal is limited to, as JSON; and its session, to end those of one together.
ALTER TABLE api_key ADD COLUMN portal TEXT;
ALTER TABLE api_key ADD COLUMN session TEXT;
