"""Tasks as local processes: started, watched, adopted and ended without leaving anything behind.

Nothing is imported here: the supervisor uses `identity`, `lock`, `sweep` and `logs` alone, and must stay small.
"""
