"""What goes wrong between here and Rekognition, in one line with the remedy."""

from recognizer.errors import EngineError

__all__ = ["RekognitionError", "explain"]


class RekognitionError(EngineError):
    """A call that was refused or lost. `code`: the service's, or the name of what broke on the way."""

    def __init__(self, message: str, code: str, transient: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.transient = transient


_CREDENTIALS = frozenset(
    {
        "IncompleteSignatureException",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationTokenException",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired"})
_BUSY = frozenset(
    {"ThrottlingException", "ProvisionedThroughputExceededException", "TooManyRequestsException"}
)
_KEYS = "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or a role of this machine"


def explain(error: Exception, operation: str, where: str, collection: str) -> RekognitionError:
    """The error for a failed call. `where`: the endpoint or region that was asked.

    `error`: one of botocore's, or the ValueError it raises for an endpoint that is no address. Whether trying again
    can help follows the service's documentation: after throttling, 5xx and lost connections.
    """
    from botocore.exceptions import ClientError

    return (
        _refused(error, operation, where, collection)
        if isinstance(error, ClientError)
        else _broken(error, where)
    )


def _refused(error: Exception, operation: str, where: str, collection: str) -> RekognitionError:
    response = getattr(error, "response", {})
    code = str(response.get("Error", {}).get("Code", "?"))
    said = str(response.get("Error", {}).get("Message", "")).strip() or "no reason given"
    status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    transient = False
    if code in _BUSY:
        transient = True
        message = (
            f"Rekognition takes no more {operation} calls now ({code}); lower rekognition_rate_per_s or ask AWS for a "
            "higher quota"
        )
    elif code in {"AccessDeniedException", "AccessDenied"}:
        message = (
            f"AWS does not allow these credentials rekognition:{operation} ({said}); add the action to their IAM "
            "policy, docs/operator.md has one"
        )
    elif code in _EXPIRED:
        message = f"the AWS credentials have expired ({code}); sign in again or renew them"
    elif code in _CREDENTIALS:
        message = (
            f"AWS does not accept the credentials ({code}: {said}); check {_KEYS}, and this machine's clock"
        )
    elif code == "ResourceNotFoundException":
        message = (
            f"Rekognition at {where} has no collection {collection!r} or not what {operation} asked for there "
            f"({said}); run 'gridroll init' or correct rekognition_collection"
        )
    elif code == "ServiceQuotaExceededException":
        message = f"Rekognition's quota is used up at {operation} ({said}); ask AWS for a higher one"
    elif code in {"ImageTooLargeException", "InvalidImageFormatException"}:
        message = f"Rekognition refuses the picture ({code}: {said}); give another photograph"
    elif status >= 500 or code == "InternalServerError":
        transient = True
        message = f"Rekognition failed at {operation} ({code}: {said}); try again later"
    elif code == "ConflictException":
        transient = True
        message = f"Rekognition is still changing what {operation} needs ({said}); try again in a moment"
    else:
        message = (
            f"Rekognition refuses {operation} ({code}: {said}); this is a mistake of Gridroll's, report it"
        )
    return RekognitionError(message, code, transient)


def _broken(error: Exception, where: str) -> RekognitionError:
    from botocore.exceptions import (
        ConnectionError,
        HTTPClientError,
        NoCredentialsError,
        NoRegionError,
        PartialCredentialsError,
    )

    code = type(error).__name__
    if isinstance(error, NoCredentialsError | PartialCredentialsError):
        return RekognitionError(f"AWS credentials are missing ({error}); set {_KEYS}", code)
    if isinstance(error, NoRegionError):
        return RekognitionError(
            "no AWS region is set; give rekognition_region, e.g. 'eu-west-1', or AWS_DEFAULT_REGION", code
        )
    if isinstance(error, ConnectionError | HTTPClientError):
        return RekognitionError(
            f"Rekognition cannot be reached at {where} ({error}); check the network, rekognition_region and "
            "rekognition_endpoint_url",
            code,
            transient=True,
        )
    return RekognitionError(
        f"Rekognition cannot be asked ({error}); check the AWS configuration, rekognition_region and "
        "rekognition_endpoint_url",
        code,
    )
