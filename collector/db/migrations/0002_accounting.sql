-- The accounting of every epoch of a source: each position (a sequence that goes on counting where the
-- wire's wraps at 2^31) from `first` to `last` is stored, `missing`, or in a gap.
ALTER TABLE source DROP CONSTRAINT source_pkey;
ALTER TABLE source RENAME COLUMN sequence TO last;
ALTER TABLE source ALTER COLUMN last DROP NOT NULL;
ALTER TABLE source ALTER COLUMN timestamp DROP NOT NULL;
ALTER TABLE source ADD COLUMN first bigint;
ALTER TABLE source ADD COLUMN missing int8multirange NOT NULL DEFAULT '{}';
ALTER TABLE source ADD PRIMARY KEY (codifier, epoch);
UPDATE source SET first = last;
-- Readings that are lost for good: how many from `first` on (null: not known), between which times, why.
CREATE TABLE gap (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    codifier   text COLLATE "C" NOT NULL,
    epoch      bigint NOT NULL,
    first      bigint NOT NULL,
    messages   bigint CHECK (messages > 0),
    from_time  timestamptz,
    to_time    timestamptz,
    cause      text NOT NULL,
    noticed    timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON gap (codifier, epoch, first);
CREATE INDEX ON gap (to_time);
