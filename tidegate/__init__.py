"""Tidegate lets a change in gradually and shuts by itself when it hurts."""

__version__ = "0.1.0"
