"""The router on one machine: Envoy from its wheel, told what to do by files and read through its admin socket.

`router.py` keeps the port's promises; the rendering files are pure; `process.py` owns the process, which outlives us.
"""
