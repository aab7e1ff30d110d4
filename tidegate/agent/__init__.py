"""The agent: a sidecar process, or a thread inside the application. It evaluates flags next to who asks.

It imports nothing but the core. `Agent` is all that an application needs; `server` serves it to others on this machine.
"""

from tidegate.agent.agent import Agent as Agent
from tidegate.agent.agent import News as News
from tidegate.agent.agent import Standing as Standing
