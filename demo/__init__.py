"""A simulated class with known truth: drawn people, their enrolment photographs, and the meeting window
they sit in, so that Gridroll can be shown, tested and measured without anybody's picture."""

__all__ = ["cast", "casting", "face", "gallery"]
