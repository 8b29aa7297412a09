"""The Python client `mcp`: lists the tools, calls one, and prints what came as JSON.

client_mcp.py MODE TOOL ARGUMENTS --url URL KEY | -- COMMAND ARGUMENT…
"""

import asyncio
import json
import sys

import httpx2
from mcp import Client
from mcp.client.stdio import StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

mode, tool, arguments, kind, *rest = sys.argv[1:]


def server():
    if kind == "--url":
        headers = {"Authorization": f"Bearer {rest[1]}"}
        return streamable_http_client(rest[0], http_client=httpx2.AsyncClient(headers=headers, timeout=60))
    return StdioServerParameters(command=rest[0], args=rest[1:])


async def main():
    async with Client(server(), mode=mode) as client:
        tools = [tool.name for tool in (await client.list_tools()).tools]
        answer = await client.call_tool(tool, json.loads(arguments))
        print(json.dumps({"tools": tools, "text": answer.content[0].text}))


asyncio.run(main())
