"""Faces in a collection of Amazon Rekognition, or of a service that speaks like it."""

__all__ = ["REKOGNITION", "RekognitionEngine"]

from recognizer.rekognition.engine import REKOGNITION, RekognitionEngine
