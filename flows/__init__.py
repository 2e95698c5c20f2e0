"""Prefect flows: what runs after what."""

from tuner import interpreter

interpreter.spare_libraries()  # whoever imports a flow, such as Prefect's engine on a worker, is a process that runs it
