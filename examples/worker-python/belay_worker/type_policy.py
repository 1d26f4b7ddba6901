"""What a type declares, from keyword arguments to belay.v1.OperationType. Durations are seconds."""

from typing import Any

from belay.v1 import workers_pb2 as pb

from .wire import set_seconds

_DURATIONS = {"grace", "critical", "cleanup", "kill", "unwatched_timeout"}
_RUN_DURATIONS = {"backoff", "backoff_max", "attempt_timeout", "stall_timeout", "retention"}
_PLAIN = {"cancellable", "type_limit", "key_limit", "on_delete"}
_KILL_SECONDS = 5.0


def kill_seconds_of(policy: dict[str, Any]) -> float:
    return policy.get("kill", _KILL_SECONDS)


def operation_type(type: str, policy: dict[str, Any]) -> pb.OperationType:
    """An absent field takes the server's default. Raises a TypeError for a name that is none."""
    # What a declared API was asked comes as JSON: this worker has no messages but its own.
    declared = pb.OperationType(type=type, json_requests=True)
    declared.policy.SetInParent()
    for name, value in policy.items():
        if name in _DURATIONS:
            set_seconds(getattr(declared.policy, name), value)
        elif name in _RUN_DURATIONS:
            set_seconds(getattr(declared.policy.run, name), value)
        elif name == "max_attempts":
            declared.policy.run.max_attempts = value
        elif name in _PLAIN:
            setattr(declared.policy, name, value)
        else:
            raise TypeError(f"operation type {type}: there is no policy {name}")
    return declared
