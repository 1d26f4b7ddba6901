"""Between the messages of the protocol and plain Python: durations, JSON, the keys of attempts."""

from typing import Any

from belay.v1 import workers_pb2 as pb
from google.protobuf import any_pb2, duration_pb2, json_format, struct_pb2

# Names one attempt: service, tenant, operation, lease token.
AttemptId = tuple[str, str, str, int]


def seconds_of(duration: duration_pb2.Duration) -> float:
    return duration.seconds + duration.nanos / 1e9


def set_seconds(duration: duration_pb2.Duration, seconds: float) -> None:
    duration.FromMilliseconds(round(seconds * 1000))


def id_of(attempt: pb.AttemptKey) -> AttemptId:
    return (attempt.service, attempt.tenant, attempt.name, attempt.lease_token)


def json_of(struct: struct_pb2.Struct) -> dict[str, Any]:
    return json_format.MessageToDict(struct)


def struct_of(value: dict[str, Any]) -> struct_pb2.Struct:
    struct = struct_pb2.Struct()
    struct.update(value)
    return struct


def input_of(payload: any_pb2.Any) -> dict[str, Any]:
    """Plain operations carry a Struct; this worker knows no other message."""
    struct = struct_pb2.Struct()
    return json_of(struct) if payload.Unpack(struct) else {}
