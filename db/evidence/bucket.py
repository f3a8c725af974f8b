"""Crops in a bucket of Amazon S3, or of anything that speaks its protocol."""

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from db.errors import EvidenceError
from db.evidence.blobs import NAME, Blob, MissingBlobError, checked

__all__ = ["BucketBlobs"]

CONNECT_TIMEOUT_S, READ_TIMEOUT_S, ATTEMPTS = 3, 8, 2
"""A look waits for its crops; they are done without rather than waited for."""

CONNECTIONS = 10
PAGE = 1000
"""Objects in one answer: as many as S3 gives."""

_MISSING = frozenset({"NoSuchKey", "404"})
_CREDENTIALS = frozenset(
    {"InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "RequestTimeTooSkewed"}
)
_BUSY = frozenset({"SlowDown", "Throttling", "ThrottlingException", "RequestTimeout", "OperationAborted"})
_KEYS = "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or a role of this machine"


class BucketBlobs:
    """A `BlobStore` of objects `prefix/name` in a bucket. The client is made at the first call."""

    def __init__(self, bucket: str, prefix: str, region: str, endpoint_url: str) -> None:
        self._bucket = bucket
        self._prefix = f"{prefix}/" if prefix else ""
        self._region = region
        self._endpoint_url = endpoint_url
        self._lock = threading.Lock()
        self._client: Any = None

    @property
    def where(self) -> str:
        service = f" at {self._endpoint_url}" if self._endpoint_url else ""
        return f"s3://{self._bucket}/{self._prefix}".removesuffix("/") + service

    def put(self, name: str, content: bytes) -> None:
        with self._explained("s3:PutObject"):
            self._made_client().put_object(
                **self._at(name), Body=content, ContentType="application/octet-stream"
            )

    def get(self, name: str) -> bytes:
        with self._explained("s3:GetObject", name):
            content: bytes = self._made_client().get_object(**self._at(name))["Body"].read()
            return content

    def delete(self, name: str) -> None:
        with self._explained("s3:DeleteObject"):
            self._made_client().delete_object(**self._at(name))

    def blobs(self) -> Iterator[Blob]:
        with self._explained("s3:ListBucket"):
            pages = self._made_client().get_paginator("list_objects_v2")
            paging = {"PageSize": PAGE}
            for page in pages.paginate(Bucket=self._bucket, Prefix=self._prefix, PaginationConfig=paging):
                for item in page.get("Contents", ()):
                    name = item["Key"].removeprefix(self._prefix)
                    if NAME.fullmatch(name):
                        yield Blob(name, item["LastModified"])

    def tidy(self, before: datetime) -> None:
        """An object is written by one request, so nothing is ever left half written."""

    def check(self) -> str:
        trial = secrets.token_hex(32)
        self.put(trial, trial.encode())
        try:
            if self.get(trial) != trial.encode():
                raise EvidenceError(f"{self.where} gives back something else than was written")
        finally:
            self.delete(trial)
        next(self.blobs(), None)
        with self._explained("s3:GetBucketVersioning"):
            versioning = self._made_client().get_bucket_versioning(Bucket=self._bucket).get("Status")
        if versioning:
            raise EvidenceError(
                f"bucket {self._bucket!r} has versioning ({versioning.lower()}), so what is erased may stay there; take "
                "a bucket that never had it"
            )
        return self.where

    def close(self) -> None:
        with self._lock:
            if self._client is not None:
                self._client.close()
                self._client = None

    def _at(self, name: str) -> dict[str, str]:
        return {"Bucket": self._bucket, "Key": self._prefix + checked(name)}

    def _made_client(self) -> Any:
        with self._lock:
            if self._client is None:
                self._client = self._make_client()
            return self._client

    def _make_client(self) -> Any:
        import boto3
        from botocore.config import Config

        # Other services than AWS seldom know buckets as host names, or AWS's newer checksums.
        other: dict[str, Any] = {
            "s3": {"addressing_style": "path"},
            "request_checksum_calculation": "when_required",
            "response_checksum_validation": "when_required",
        }
        config = Config(
            connect_timeout=CONNECT_TIMEOUT_S,
            read_timeout=READ_TIMEOUT_S,
            max_pool_connections=CONNECTIONS,
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
            **(other if self._endpoint_url else {}),
        )
        return boto3.Session().client(
            "s3",
            region_name=self._region or None,
            endpoint_url=self._endpoint_url or None,
            config=config,
        )

    @contextmanager
    def _explained(self, action: str, name: str = "") -> Iterator[None]:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", "?"))
            if name and code in _MISSING:
                raise MissingBlobError(name, self.where) from error
            raise self._refused(error, code, action) from error
        except (BotoCoreError, ValueError, OSError) as error:
            raise self._broken(error) from error

    def _refused(self, error: Any, code: str, action: str) -> EvidenceError:
        said = str(error.response.get("Error", {}).get("Message", "")).strip() or "no reason given"
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        if code in _BUSY or status >= 500:
            return EvidenceError(f"{self.where} is busy or failed ({code}: {said}); try again later", True)
        if code == "NoSuchBucket":
            return EvidenceError(
                f"there is no bucket {self._bucket!r}; make it, without versioning, or correct evidence_url"
            )
        if code in _CREDENTIALS:
            return EvidenceError(
                f"{self.where} does not accept the credentials ({code}); check {_KEYS}, and this machine's clock"
            )
        if code in {"AccessDenied", "AllAccessDisabled", "403"}:
            return EvidenceError(
                f"these credentials may not {action} in {self.where} ({said}); add it to their policy, docs/operator.md "
                "has one"
            )
        return EvidenceError(
            f"{self.where} refuses {action} ({code}: {said}); check evidence_url, evidence_region and "
            "evidence_endpoint_url"
        )

    def _broken(self, error: Exception) -> EvidenceError:
        from botocore.exceptions import ConnectionError, HTTPClientError, NoCredentialsError

        if isinstance(error, NoCredentialsError):
            return EvidenceError(f"there are no credentials for {self.where}; set {_KEYS}")
        if isinstance(error, ConnectionError | HTTPClientError | OSError):
            return EvidenceError(
                f"{self.where} cannot be reached ({error}); check the network and evidence_endpoint_url", True
            )
        return EvidenceError(
            f"{self.where} cannot be asked ({error}); check the AWS configuration and the settings evidence_…"
        )
