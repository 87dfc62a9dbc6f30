"""A small API, served by AWS Lambda through Mangum."""

from fastapi import FastAPI, HTTPException
from mangum import Mangum
from pydantic import BaseModel

GREETING = "Hello"

app = FastAPI(title="fastapi-lambda")


class Quote(BaseModel):
    net: float
    tax_percent: float = 20.0


@app.get("/")
def hello(name: str = "world") -> dict[str, str]:
    return {"message": f"{GREETING}, {name}!"}


@app.post("/quotes")
def quote(order: Quote) -> dict[str, float]:
    if order.net < 0:
        raise HTTPException(422, "net must not be negative")
    return {"gross": round(order.net * (1 + order.tax_percent / 100), 2)}


handler = Mangum(app, lifespan="off")
