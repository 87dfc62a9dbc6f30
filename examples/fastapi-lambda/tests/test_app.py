from fastapi.testclient import TestClient

from app.main import app

client = TestClient(app)


def test_hello_names_the_caller() -> None:
    assert client.get("/", params={"name": "Ada"}).json()["message"].endswith("Ada!")


def test_quote_adds_tax() -> None:
    assert client.post("/quotes", json={"net": 10, "tax_percent": 8}).json() == {"gross": 10.8}


def test_quote_refuses_a_negative_amount() -> None:
    assert client.post("/quotes", json={"net": -1}).status_code == 422
