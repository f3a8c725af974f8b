"""Eyes: when to look, what to look at, how many heads, and what changed since the last look.

Everything ends in an `Observation` handed to a sink; who the heads are is not known here.
"""

__all__ = ["AgentError", "Clock", "Frame", "FrameSource", "Headcounter", "Sink", "Watcher"]

from screen_agent.clock import Clock
from screen_agent.errors import AgentError
from screen_agent.frames import Frame, FrameSource
from screen_agent.headcount import Headcounter
from screen_agent.sink import Sink
from screen_agent.watcher import Watcher
