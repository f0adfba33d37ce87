-- Users of the original's web page.
CREATE TABLE web_user (
    name      text PRIMARY KEY,
    password  text NOT NULL,  -- scrypt$N$r$p$salt$hash, base64
    created   timestamptz NOT NULL DEFAULT now()
);
DO $$ BEGIN
    IF to_regclass('web_user') IS NOT NULL
        AND EXISTS (SELECT FROM pg_roles WHERE rolname = 'jph_reader')
    THEN
        REVOKE ALL ON web_user FROM jph_reader;
    END IF;
END $$;
