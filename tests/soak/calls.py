"""Calls of the chain in tests/soak/chain, and what their answers may be."""
import base64
import json

STATUSES = {"CANCELLED": 499, "UNKNOWN": 500, "INVALID_ARGUMENT": 400, "DEADLINE_EXCEEDED": 504, "NOT_FOUND": 404,
            "ALREADY_EXISTS": 409, "PERMISSION_DENIED": 403, "RESOURCE_EXHAUSTED": 429, "FAILED_PRECONDITION": 400,
            "ABORTED": 409, "OUT_OF_RANGE": 400, "UNIMPLEMENTED": 501, "INTERNAL": 500, "UNAVAILABLE": 503,
            "DATA_LOSS": 500, "UNAUTHENTICATED": 401}


def make_plan(rng):
    """Arguments of a call: how wide and deep it fans out, what each crumb does, and in one of ten a crumb that fails."""
    width, depth = rng.choice([(1, 1), (4, 2), (2, 8), (8, 4), (0, 0)])
    size = rng.choice([0, 10, 1000, 1000, 300000])
    return {"width": width, "depth": depth, "work_us": rng.choice([0, 0, 200, 2000, 20000]),
            "payload": base64.b64encode(rng.randbytes(size)).decode(),
            "fail": rng.randrange(width * depth) if width and rng.random() < 0.1 else -1}


def right_answer(plan):
    return plan["width"] * plan["depth"] * (1 + sum(base64.b64decode(plan["payload"])))


def inner_calls(plan):
    """How many calls of part and crumb it makes."""
    return plan["width"] * (1 + plan["depth"])


def judge(plan, status, body):
    """What a whole answer is: ("good", ""), (the name of a status that says why not, the message), or ("wrong", why)."""
    answer = json.loads(body)
    if status == 200:
        if plan["fail"] >= 0:
            return "wrong", f"a call that fails answered {answer}"
        right = right_answer(plan)
        return ("good", "") if answer == right else ("wrong", f"{answer} instead of {right} for {plan}"[:1000])
    error = answer["error"]
    if STATUSES.get(error["status"]) != status:
        return "wrong", f"HTTP {status} for {error}"
    if not error["message"] or not error["request_id"]:
        return "wrong", f"an error without words: {error}"
    if error["status"] == "FAILED_PRECONDITION":
        return ("good", "") if plan["fail"] >= 0 else ("wrong", f"a call that doesn't fail was {error}")
    return error["status"], f"{error['message']} (request {error['request_id']})"
