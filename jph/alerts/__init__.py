"""Alerts: conditions of the house, alerts with hysteresis, notices and the forms of services."""
