"""The errors of recognition."""

from db.errors import GridrollError

__all__ = ["EngineError", "KnownPhotoError", "LookalikeError", "PhotoError", "RecognizerError", "UnlikeError"]


class RecognizerError(GridrollError):
    """Base of this package's errors."""


class EngineError(RecognizerError):
    """A face engine that cannot answer."""


class PhotoError(RecognizerError):
    """A photograph that cannot be used.

    The message is for staff and names the file. `for_student`: the same for whoever is on the photograph, never with
    anybody else's name. `fault`: one word for programs.
    """

    def __init__(self, message: str, for_student: str | None = None, fault: str = "file") -> None:
        super().__init__(message)
        self.for_student = for_student or message
        self.fault = fault


class KnownPhotoError(RecognizerError):
    """A photograph that its owner has already. `owner`: their name."""

    def __init__(self, name: str, student_no: str, owner: str) -> None:
        super().__init__(f"photo {name} of {owner} ({student_no}) is indexed already")
        self.owner = owner


class LookalikeError(PhotoError):
    """A photograph that looks like another student. Students are given as number and name; both are for staff only."""

    def __init__(
        self, name: str, student: tuple[str, str], other: tuple[str, str], similarity_pct: float
    ) -> None:
        number = student[0]
        super().__init__(
            f"{name}: The photo given for {' '.join(student)} looks like {' '.join(other)} "
            f"({similarity_pct:.0f} %): find out whose it is; if two people look alike, run 'gridroll faces add "
            f"{number} PHOTO --lookalike-of {other[0]}'.",
            "The photo looks too much like somebody else's: give another one, or ask staff to look at it.",
            "lookalike",
        )
        self.other_no, self.other_name = other
        self.similarity_pct = similarity_pct


class UnlikeError(PhotoError):
    """A further photograph that does not look like the student's others; to be confirmed by somebody who looked."""

    def __init__(self, name: str, student_no: str, student_name: str, similarity_pct: float) -> None:
        super().__init__(
            f"{name}: The photo does not look like the others of {student_no} {student_name} "
            f"({similarity_pct:.0f} % at best): look at it; if it is them, run 'gridroll faces add {student_no} PHOTO "
            "--confirm'.",
            "The photo does not look like your other ones: give another one, or ask staff to confirm that it is you.",
            "unlike",
        )
        self.similarity_pct = similarity_pct
