"""Drives yandexcloud's SDK at an endpoint of one's own; prints what it saw as JSON.

Usage: yandex_client.py ENDPOINT CA_FILE KEY_FILE; YC_OAUTH_TOKEN is in the environment
"""
import json
import os
import sys
from importlib.metadata import version

import grpc
import yandexcloud
from yandex.cloud.ai.ocr.v1.ocr_service_pb2 import RecognizeTextRequest, RecognizeTextResponse
from yandex.cloud.ai.ocr.v1.ocr_service_pb2_grpc import TextRecognitionAsyncServiceStub
from yandex.cloud.operation.operation_service_pb2 import CancelOperationRequest, GetOperationRequest
from yandex.cloud.operation.operation_service_pb2_grpc import OperationServiceStub

endpoint, ca_file, key_file = sys.argv[1:4]
with open(ca_file, "rb") as file:
    ca = file.read()
with open(key_file, encoding="utf-8") as file:
    key = json.load(file)


def start(sdk, model):
    ocr = sdk.client(TextRecognitionAsyncServiceStub, endpoint=endpoint)
    return ocr.Recognize(RecognizeTextRequest(content=b"a page", mime_type="image/png", model=model))


def error_of(call, *args):
    try:
        call(*args)
    except grpc.RpcError as error:
        return {"code": error.code().name, "details": error.details()}
    except yandexcloud.operations.OperationError as error:
        # Its operation_result holds the operation as it was before the wait.
        return {"details": error.message}
    return None


report = {"version": version("yandexcloud")}
for kind, credentials in [
    ("oauth", {"token": os.environ["YC_OAUTH_TOKEN"]}),
    ("service account", {"service_account_key": key}),
]:
    sdk = yandexcloud.SDK(endpoint=endpoint, root_certificates=ca, **credentials)
    service = sdk.client(OperationServiceStub)
    operation = start(sdk, "page")
    seen = {"id": operation.id, "created by": operation.created_by, "done": operation.done}
    # The work has begun once the test says so.
    print(json.dumps({"started": operation.id}), flush=True)
    sys.stdin.readline()
    for _ in range(3):
        seen["cancelled id"] = service.Cancel(CancelOperationRequest(operation_id=operation.id)).id
    seen["wait"] = error_of(sdk.wait_operation_and_get_result, operation)
    done = service.Get(GetOperationRequest(operation_id=operation.id))
    seen["error code"] = done.error.code
    late = service.Cancel(CancelOperationRequest(operation_id=operation.id))
    seen["unchanged"] = late == done
    quick = sdk.wait_operation_and_get_result(start(sdk, "quick"), response_type=RecognizeTextResponse)
    seen["text"] = quick.response.text_annotation.full_text
    unknown = CancelOperationRequest(operation_id="ybl00000000000000000")
    seen["unknown"] = error_of(service.Cancel, unknown)
    report[kind] = seen
refused = yandexcloud.SDK(endpoint=endpoint, root_certificates=ca, iam_token="t1.nobody")
report["refused"] = error_of(
    refused.client(OperationServiceStub).Get, GetOperationRequest(operation_id="ybl00000000000000000")
)
print(json.dumps(report))
