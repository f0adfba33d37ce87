"""The wish of a room at a time: ranks, schedules, lead times and the next changes. Pure."""
