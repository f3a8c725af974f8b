"""Does recognition work?"""

import numpy as np

from db.health import Check, State, Trial, attempt
from db.settings import Settings
from recognizer.embedding import DIMENSIONS, MODEL, embed
from recognizer.errors import EngineError
from recognizer.local import LOCAL
from recognizer.observation import FaceCrop
from recognizer.rekognition import RekognitionEngine
from recognizer.stores import open_engine

__all__ = ["check_recognition", "recognition_trials"]


def check_recognition(settings: Settings) -> list[Check]:
    """The face engines of the settings, by really asking them, and AWS where credentials are configured."""
    return [check for _, trial in recognition_trials(settings) for check in trial()]


def recognition_trials(settings: Settings) -> list[Trial]:
    """The same, one by one. None of them is billed."""
    trials: list[Trial] = []
    if settings.engine != "rekognition":
        trials.append(("face engine", lambda: [attempt("face engine", lambda: _local(settings))]))
    if settings.engine != "local":
        trials.append(("Rekognition", lambda: _rekognition(settings)))
    return [*trials, ("AWS", lambda: [_aws()])]


def _local(settings: Settings) -> str:
    plain = FaceCrop(np.full((160, 160, 3), 128, np.uint8), (30, 30, 130, 130))
    vector = embed([plain])
    if vector.shape != (1, DIMENSIONS) or not np.isfinite(vector).all():
        raise EngineError(
            f"{MODEL} answers nonsense; install onnxruntime, dlib-bin and face_recognition_models anew"
        )
    engine = open_engine(settings.model_copy(update={"engine": LOCAL}))
    try:
        return f"{engine.description}; {sum(1 for _ in engine.faces())} faces indexed"
    finally:
        engine.close()


def _rekognition(settings: Settings) -> list[Check]:
    # One attempt within seconds: whoever asks is waiting.
    engine = RekognitionEngine(
        settings.model_copy(update={"rekognition_max_attempts": 1, "rekognition_timeout_s": 5.0})
    )
    try:
        reached = attempt("Rekognition", engine.status)
        if reached.state is not State.WORKS:
            return [reached]
        return [reached, attempt("permissions", lambda: _permissions(engine))]
    finally:
        engine.close()


def _permissions(engine: RekognitionEngine) -> str:
    if denied := engine.denied():
        raise EngineError(
            f"AWS does not allow these credentials {', '.join(denied)}; add them to the IAM policy, docs/operator.md "
            "has one"
        )
    return "all actions that the engine needs are allowed"


def _aws() -> Check:
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError, ConnectionError, HTTPClientError

    name = "AWS"
    try:
        if boto3.Session().get_credentials() is None:
            return Check(name, State.ABSENT, "no credentials configured; the local engine needs none")
        config = Config(connect_timeout=3, read_timeout=5, retries={"max_attempts": 1})
        identity = boto3.client("sts", config=config).get_caller_identity()
    except ClientError as error:
        problem = f"AWS refuses the credentials ({error.response['Error']['Code']})"
        remedy = "renew them or unset AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_PROFILE"
    except (ConnectionError, HTTPClientError) as error:
        problem = f"credentials are configured, but AWS cannot be reached ({error})"
        remedy = "check the network and AWS_DEFAULT_REGION"
    except BotoCoreError as error:
        problem = f"credentials are configured, but not completely ({error})"
        remedy = "set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_DEFAULT_REGION, or unset them all"
    else:
        return Check(name, State.WORKS, f"signed in as {identity['Arn']}")
    return Check(name, State.BROKEN, f"{problem}; {remedy}")
