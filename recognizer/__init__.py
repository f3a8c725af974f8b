"""Who: from a face crop to a student of the roster, and how sure.

An agent hands in observations; this package decides which faces get which names, remembers who sits where, and
says "unknown" rather than a wrong name. It also enrols faces, and only where a consent is on record.
"""

__all__ = ["FaceCrop", "FaceEngine", "Observation", "Receipt", "SeenFace"]

from recognizer.engine import FaceEngine
from recognizer.observation import FaceCrop, Observation, Receipt, SeenFace
