-- All rows of one codifier are on one worker: every query is about one codifier.
CREATE EXTENSION IF NOT EXISTS citus;
SELECT create_distributed_table('reading', 'codifier', colocate_with => 'default');
SELECT create_distributed_table('packed', 'codifier', colocate_with => 'reading');
SELECT create_distributed_table('energy_doubt', 'codifier', colocate_with => 'reading');
SELECT create_distributed_table('statistic_10min', 'codifier', colocate_with => 'reading');
SELECT create_distributed_table('statistic_hour', 'codifier', colocate_with => 'reading');
SELECT create_distributed_table('statistic_day', 'codifier', colocate_with => 'reading');
