"""The Python client `fastmcp`: lists the tools, calls one, and prints what came as JSON.

client_fastmcp.py MODE TOOL ARGUMENTS --url URL KEY | -- COMMAND ARGUMENT…
"""

import asyncio
import json
import sys

from fastmcp import Client
from fastmcp.client.transports import StdioTransport, StreamableHttpTransport

mode, tool, arguments, kind, *rest = sys.argv[1:]


def server():
    if kind == "--url":
        return StreamableHttpTransport(rest[0], headers={"Authorization": f"Bearer {rest[1]}"})
    return StdioTransport(command=rest[0], args=rest[1:], keep_alive=False)


async def main():
    async with Client(server(), mode=mode) as client:
        tools = [tool.name for tool in await client.list_tools()]
        answer = await client.call_tool(tool, json.loads(arguments))
        print(json.dumps({"tools": tools, "text": answer.content[0].text}))


asyncio.run(main())
