"""Drives google-api-core's operations clients (gRPC or REST) and its operation future; prints what they saw as JSON.

Usage: operations_client.py grpc|rest HOST:PORT HELD_NAME NAP_NAME
"""
import json
import sys

import google.api_core
import google.api_core.exceptions
import google.api_core.operation
import grpc
from google.api_core import operations_v1
from google.auth.credentials import AnonymousCredentials
from google.longrunning import operations_pb2
from google.protobuf import empty_pb2, json_format

transport, address, held_name, nap_name = sys.argv[1:5]
ABSENT = "operations/opr00000000000000000"

# The client's own bindings are those of operations below a parent.
HTTP_OPTIONS = {
    "google.longrunning.Operations.ListOperations": [{"method": "get", "uri": "/v1/{name=operations}"}],
    "google.longrunning.Operations.GetOperation": [{"method": "get", "uri": "/v1/{name=operations/**}"}],
    "google.longrunning.Operations.DeleteOperation": [{"method": "delete", "uri": "/v1/{name=operations/**}"}],
    "google.longrunning.Operations.CancelOperation": [
        {"method": "post", "uri": "/v1/{name=operations/**}:cancel", "body": "*"}
    ],
}


def connect():
    if transport == "grpc":
        return operations_v1.OperationsClient(grpc.insecure_channel(address))
    return operations_v1.AbstractOperationsClient(
        transport=operations_v1.OperationsRestTransport(
            host=f"http://{address}", credentials=AnonymousCredentials(), http_options=HTTP_OPTIONS
        )
    )


client = connect()


def future(name):
    return google.api_core.operation.from_gapic(client.get_operation(name), client, empty_pb2.Empty)


def error_of(call, *args):
    """The class, HTTP code and ErrorInfo reason of what a call raises."""
    try:
        call(*args)
    except google.api_core.exceptions.GoogleAPICallError as error:
        return {"type": type(error).__name__, "code": error.code, "reason": error.reason}
    return None


def seen(name):
    return json_format.MessageToDict(client.get_operation(name))


held = future(held_name)
report = {
    "version": google.api_core.version.__version__,
    "running": seen(held_name),
    "done before": held.done(),
    "cancelled before": held.cancelled(),
    "cancel": held.cancel(),
    "result": error_of(held.result, 30),
    "cancelled": held.cancelled(),
    "cancel again": held.cancel(),
    "done": seen(held_name),
}
client.cancel_operation(held_name)
report["after a late cancel"] = seen(held_name)
report["listed"] = held_name in [operation.name for operation in client.list_operations("operations", "")]
client.delete_operation(held_name)
report["deleted"] = error_of(client.get_operation, held_name)
report["unknown"] = error_of(client.cancel_operation, ABSENT)
nap = future(nap_name)
report["success"] = json_format.MessageToDict(nap.result(30))
report["success cancelled"] = nap.cancelled()
assert isinstance(nap.operation, operations_pb2.Operation)
print(json.dumps(report))
