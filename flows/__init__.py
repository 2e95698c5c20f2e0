"""Prefect flows: what runs after what."""

from tuner import interpreter

interpreter.relax_garbage_collection()  # a process that imports a flow, such as a worker, runs it
interpreter.leave_out_hints()
