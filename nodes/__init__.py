"""Kinds of node, one file each, and the table of every kind that this package brings.

Other packages add kinds of their own by the entry point group `jph.kinds` (docs/architecture.md).
"""

from typing import Final

KINDS: Final = {
    "ADAfruitReader": "nodes.files:AdafruitReader",
    "ADCpiReader": "nodes.files:AdcPiReader",
    "Camera": "jph.gateway.camera.node:Camera",
    "Command": "nodes.command:Command",
    "ControlProgram": "nodes.controlprogram:ControlProgram",
    "CurrentCost": "nodes.seriallines:SerialLines",
    "DSMR": "nodes.seriallines:SerialLines",
    "DwarfpoolReader": "nodes.http:DwarfpoolReader",
    "Expression": "nodes.expression:Expression",
    "Files": "nodes.files:Files",
    "Flask": "jph.gateway.node:Gateway",
    "Gateway": "jph.gateway.node:Gateway",
    "HouseSimulator": "jph.sim.house_simulator:HouseSimulator",
    "Http": "nodes.http:Http",
    "Modbus": "nodes.modbus:Modbus",
    "Mqtt": "nodes.mqtt:Mqtt",
    "NestReader": "nodes.http:NestReader",
    "PilotCard": "nodes.pilotcard:PilotCard",
    "Pipe": "nodes.pipe:Pipe",
    "Pool": "nodes.pool:Pool",
    "PythonNinja": "nodes.pythontemplate:PythonTemplate",
    "PythonTemplate": "nodes.pythontemplate:PythonTemplate",
    "Recorder": "nodes.recorder:Recorder",
    "Schedule": "nodes.schedule:Schedule",
    "SerialLines": "nodes.seriallines:SerialLines",
    "Setpoint": "nodes.setpoint:Setpoint",
    "Shedding": "nodes.shedding:Shedding",
    "Teleinfo": "nodes.teleinfo:Teleinfo",
    "TempLinux": "nodes.pipe:Pipe",
    "Thermostat": "nodes.thermostat:Thermostat",
    "controlSensor": "nodes.setpoint:Setpoint",
    "failsafeReader": "nodes.http:FailsafeReader",
    "jphCalcHistory": "collector.calc:PostgresCalcHandler",
    "jphPostgreSQL": "collector.jphpostgresql:JphPostgreSQL",
    "jphRedis": "nodes.jphredis:JphRedis",
    "postgresCalcHandler": "collector.calc:PostgresCalcHandler",
}
"""Module and class of each kind, by the `Type` of its entries in the config."""
