-- The codifiers that have readings: one after the other by the index, however many readings there are.
CREATE FUNCTION codifiers_between(since timestamptz, until timestamptz) RETURNS SETOF text
LANGUAGE plpgsql STABLE AS $$
DECLARE
    found text COLLATE "C" := '';
BEGIN
    LOOP
        -- a plan for these months each time, so that the others are left out
        EXECUTE 'SELECT codifier FROM reading WHERE codifier > $1 '
            'AND timestamp >= $2 AND timestamp < $3 ORDER BY codifier LIMIT 1'
            INTO found USING found, since, until;
        EXIT WHEN found IS NULL;
        RETURN NEXT found;
    END LOOP;
END $$;
