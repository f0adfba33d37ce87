-- Readings exactly as sent: one of the four values is not null. `timestamp` is when the value was true,
-- by the sender's clock. The order of the columns leaves no gaps for alignment.
CREATE TABLE reading (
    timestamp      timestamptz NOT NULL,
    epoch          bigint NOT NULL,
    sequence       bigint NOT NULL,
    value_real     double precision,
    value_integer  bigint,
    quality        smallint NOT NULL,
    codifier       text COLLATE "C" NOT NULL,
    value_text     text,
    value_json     json,
    PRIMARY KEY (codifier, timestamp, epoch, sequence)
) PARTITION BY RANGE (timestamp);
-- Times for which no month is made: before 2000, or far in the future.
CREATE TABLE reading_other PARTITION OF reading DEFAULT;
-- How far each source is stored; written in the transaction of its readings.
CREATE TABLE source (
    codifier   text COLLATE "C" PRIMARY KEY,
    epoch      bigint NOT NULL,
    sequence   bigint NOT NULL,
    timestamp  timestamptz NOT NULL
) WITH (fillfactor = 50);
