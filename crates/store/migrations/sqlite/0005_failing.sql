-- The endpoints that somebody should look at.
CREATE INDEX endpoint_failing ON endpoint (id)
    WHERE deleted_at IS NULL AND (failing IS NOT NULL OR disabled_reason = 'gone');
