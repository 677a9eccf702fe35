"""FastAPI's services: service.py (the worker), or service.py PATH (the entry; its worker listens at PATH).

One process of uvicorn on the listening socket 3, with uvloop and httptools where they are installed; typed by pydantic,
version 1 or 2; the entry calls with aiohttp. Bytes travel as base64 text, as JSON has it.
"""
import asyncio
import base64
import sys
from typing import List

import aiohttp
import fastapi
import uvicorn
from pydantic import BaseModel

PAGE_BYTES = 4096
LISTENER = 3
KEEP_ALIVE_S = 3600

# Starlette's router matches in the order of definition; all the same to every scenario, with so few.
app = fastapi.FastAPI()
worker_path = sys.argv[1] if len(sys.argv) > 1 else None
session = None


class Text(BaseModel):
    text: str


class Data(BaseModel):
    data: str


class Values(BaseModel):
    values: List[float]


class Fan(BaseModel):
    text: str
    count: int


def dumps(model):
    return model.model_dump_json() if hasattr(model, "model_dump_json") else model.json()


async def ask(path, model):
    async with session.post("http://worker" + path, data=dumps(model), headers={"Content-Type": "application/json"}) as reply:
        reply.raise_for_status()
        return await reply.json()


if worker_path:

    @app.on_event("startup")
    async def connect():
        global session
        session = aiohttp.ClientSession(connector=aiohttp.UnixConnector(path=worker_path, limit=300))

    @app.post("/echo")
    async def echo(text: Text) -> str:
        return await ask("/echo", text)

    @app.post("/bytes")
    async def hand_on_bytes(data: Data) -> str:
        return await ask("/bytes", data)

    @app.post("/numbers")
    async def numbers(values: Values) -> float:
        return await ask("/numbers", values)

    @app.post("/fan")
    async def fan(request: Fan) -> int:
        text = Text(text=request.text)
        replies = await asyncio.gather(*(ask("/echo", text) for _ in range(request.count)))
        return sum(reply == request.text for reply in replies)

else:

    @app.post("/echo")
    async def echo(text: Text) -> str:
        return text.text

    @app.post("/bytes")
    async def sample(data: Data) -> str:
        return base64.b64encode(base64.b64decode(data.data)[::PAGE_BYTES]).decode()

    @app.post("/numbers")
    async def numbers(values: Values) -> float:
        return sum(values.values)


# A connection that is closed while the next request is on its way is an error to aiohttp: idle ones are kept.
uvicorn.run(app, fd=LISTENER, log_level="warning", access_log=False, timeout_keep_alive=KEEP_ALIVE_S)
