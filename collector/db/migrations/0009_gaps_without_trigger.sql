-- The collector notes what a gap changes: Citus refuses triggers on distributed tables. The function stays, as
-- archives of earlier versions have it.
DROP TRIGGER touch ON gap;
