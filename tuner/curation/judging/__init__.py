"""What a judge and a reward model say of rows: the stage `judge`."""
