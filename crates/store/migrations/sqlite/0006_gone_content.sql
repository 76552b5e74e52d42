-- A large payload that is gone for everybody, and is overwritten in the file a part at a time: how many of its bytes are.
CREATE TABLE gone_content (
    id          INTEGER PRIMARY KEY,  -- the message's
    overwritten INTEGER NOT NULL
) STRICT;
