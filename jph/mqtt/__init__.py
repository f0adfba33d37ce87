"""MQTT: what the Mqtt node says and hears, a module for each of its doors."""
