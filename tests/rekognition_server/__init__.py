"""A service that speaks Rekognition's protocol over real HTTP, and recognises faces for real.

Requests and answers are held against botocore's own model of the service. Faults are scripted. Run one by hand with
`python -m tests.rekognition_server --port 4600`.
"""

__all__ = ["ACCESS_KEY", "Fault", "RekognitionServer", "answered", "dropped", "lost", "refused", "slow"]

from tests.rekognition_server.faults import Fault, answered, dropped, lost, refused, slow
from tests.rekognition_server.server import ACCESS_KEY, RekognitionServer
