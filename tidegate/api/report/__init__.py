"""The report of a finished rollout: one file that asks nobody for anything."""
