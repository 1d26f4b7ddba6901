"""Drives google-api-python-client, made of the discovery document that the server hands out; prints what it saw as JSON.

Usage: discovery_client.py URL API NAME
"""
import json
import sys
from importlib.metadata import version

import httplib2
from googleapiclient.discovery import build
from googleapiclient.errors import HttpError

url, api, name = sys.argv[1:4]
service = build(
    api,
    "v1",
    http=httplib2.Http(),
    discoveryServiceUrl=url + "/$discovery/rest?version={apiVersion}",
    static_discovery=False,
)
operations = service.operations()


def error_of(request):
    try:
        request.execute()
    except HttpError as error:
        body = json.loads(error.content)["error"]
        return {"code": error.resp.status, "status": body["status"], "reason": body["details"][0]["reason"]}
    return None


report = {"version": version("google-api-python-client"), "running": operations.get(name=name).execute()}
report["cancel"] = operations.cancel(name=name).execute()
report["cancel with a body"] = operations.cancel(name=name, body={}).execute()
operation = operations.get(name=name).execute()
while not operation.get("done"):
    operation = operations.get(name=name).execute()
report["done"] = operation
page = operations.list(name="operations", pageSize=100).execute()
report["listed"] = name in [found["name"] for found in page["operations"]]
report["delete"] = operations.delete(name=name).execute()
report["deleted"] = error_of(operations.get(name=name))
report["unknown"] = error_of(operations.cancel(name="operations/xxx00000000000000000"))
if api == "vault":
    started = service.matters().count(matterId="quick", body={"view": "ALL"}).execute()
    while not started.get("done"):
        started = operations.get(name=started["name"]).execute()
    report["count"] = started["response"]
print(json.dumps(report))
