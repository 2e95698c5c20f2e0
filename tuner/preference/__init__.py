"""Preference pairs: for an instruction a better and a worse answer, which DPO and its relatives train on."""
