"""Other flag engines under the cases of flags_cases.py, offline, each with its users made before. Prints JSON.

Runs in an environment of its own (flags_evaluate.py makes it): nothing of these is a dependency of Tidegate.
"""

# ruff: noqa: PLC0415 - each engine is imported only where it is asked for

from __future__ import annotations

import importlib.metadata
import json
import logging
import os
import sys
import tempfile
import threading
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from flags_cases import IDS, SHARE, Ask, measure, users

EVERYBODY = users()


def flagd() -> dict[str, Ask]:
    from openfeature.contrib.tools.flagd.core import FlagdCore
    from openfeature.evaluation_context import EvaluationContext

    def get(name: str) -> Any:
        return {"var": name}

    rules = [
        {"and": [{"==": [get("country"), "FR"]}, {"==": [get("plan"), "pro"]}]},
        {">=": [get("age"), 65]},
        {"ends_with": [get("email"), "@example.org"]},
        {"in": [get("userId"), IDS]},
        {"in": [get("country"), ["DE", "AT"]]},
    ]
    chain = [item for index, rule in enumerate(rules) for item in (rule, f"v{index + 1}")] + ["v0"]
    names = {f"v{number}": f"v{number}" for number in range(6)}
    switch = {"state": "ENABLED", "variants": {"on": True, "off": False}}
    parts = {"fractional": [get("userId"), ["on", SHARE], ["off", 100 - SHARE]]}
    flags = {
        "on": {**switch, "defaultVariant": "on"},
        "five": {"state": "ENABLED", "variants": names, "defaultVariant": "v0", "targeting": {"if": chain}},
        "split": {**switch, "defaultVariant": "off", "targeting": parts},
    }
    core = FlagdCore()
    core.set_flags({"flags": flags})
    contexts = [EvaluationContext(user["userId"], user) for user in EVERYBODY]
    return {
        "on": lambda number: core.resolve_boolean_value("on", False, contexts[number]).value,
        "five": lambda number: core.resolve_string_value("five", "", contexts[number]).value,
        "split": lambda number: core.resolve_boolean_value("split", False, contexts[number]).value,
    }


def launchdarkly() -> dict[str, Ask]:
    from ldclient import Context, LDClient
    from ldclient.config import Config
    from ldclient.integrations import Files

    def clause(attribute: str, operator: str, *values: Any) -> Any:
        return {"attribute": attribute, "op": operator, "values": list(values), "negate": False}

    def flag(key: str, variations: list[Any], otherwise: Any, rules: Any = ()) -> Any:
        return {
            "key": key,
            "on": True,
            "version": 1,
            "variations": variations,
            "fallthrough": otherwise,
            "offVariation": 0,
            "salt": key,
            "rules": list(rules),
            "targets": [],
            "prerequisites": [],
        }

    rules = [
        [clause("country", "in", "FR"), clause("plan", "in", "pro")],
        [clause("age", "greaterThanOrEqual", 65)],
        [clause("email", "endsWith", "@example.org")],
        [clause("userId", "in", *IDS)],
        [clause("country", "in", "DE", "AT")],
    ]
    listed = [{"id": f"r{index}", "variation": index + 1, "clauses": clauses} for index, clauses in enumerate(rules)]
    parts = {"variations": [{"variation": 1, "weight": SHARE * 1000}, {"variation": 0, "weight": (100 - SHARE) * 1000}]}
    flags = {
        "on": flag("on", [False, True], {"variation": 1}),
        "five": flag("five", [f"v{number}" for number in range(6)], {"variation": 0}, listed),
        "split": flag("split", [False, True], {"rollout": parts}),
    }
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump({"flags": flags}, file)
        file.flush()
        client = LDClient(Config("sdk", update_processor_class=Files.new_data_source(paths=[file.name]), send_events=False))
    contexts = []
    for user in EVERYBODY:
        builder = Context.builder(user["userId"])
        for name, value in user.items():
            builder.set(name, value)
        contexts.append(builder.build())
    return {
        "on": lambda number: client.variation("on", contexts[number], False),
        "five": lambda number: client.variation("five", contexts[number], ""),
        "split": lambda number: client.variation("split", contexts[number], False),
    }


def growthbook() -> dict[str, Ask]:
    from growthbook import GrowthBook

    conditions = [
        {"country": "FR", "plan": "pro"},
        {"age": {"$gte": 65}},
        {"email": {"$regex": "@example\\.org$"}},
        {"userId": {"$in": IDS}},
        {"country": {"$in": ["DE", "AT"]}},
    ]
    rules = [{"condition": condition, "force": f"v{index + 1}"} for index, condition in enumerate(conditions)]
    parts = {"force": True, "coverage": SHARE / 100, "hashAttribute": "userId"}
    features = {
        "on": {"defaultValue": True},
        "five": {"defaultValue": "v0", "rules": rules},
        "split": {"defaultValue": False, "rules": [parts]},
    }
    book = GrowthBook(features=features)

    def ask(name: str, otherwise: Any) -> Ask:
        def one(number: int) -> Any:
            book.set_attributes(EVERYBODY[number])
            return book.get_feature_value(name, otherwise)

        return one

    return {"on": ask("on", False), "five": ask("five", ""), "split": ask("split", False)}


def unleash() -> dict[str, Ask]:
    from UnleashClient import UnleashClient
    from UnleashClient.cache import FileCache

    def clause(name: str, operator: str, *values: str) -> Any:
        said = {"value": values[0]} if operator.startswith("NUM") else {"values": list(values)}
        return {"contextName": name, "operator": operator, **said}

    def strategy(rollout: int, constraints: Any, variant: str = "") -> Any:
        parameters = {"rollout": str(rollout), "stickiness": "userId", "groupId": "bench"}
        variants = [{"name": variant, "weight": 1000, "stickiness": "userId"}] if variant else []
        return {"name": "flexibleRollout", "parameters": parameters, "constraints": constraints, "variants": variants}

    listed = [
        [clause("country", "IN", "FR"), clause("plan", "IN", "pro")],
        [clause("age", "NUM_GTE", "65")],
        [clause("email", "STR_ENDS_WITH", "@example.org")],
        [clause("userId", "IN", *IDS)],
        [clause("country", "IN", "DE", "AT")],
        [],
    ]
    five = [strategy(100, constraints, f"v{(index + 1) % 6}") for index, constraints in enumerate(listed)]
    features = [
        {"name": "on", "enabled": True, "strategies": [{"name": "default", "parameters": {}}]},
        {"name": "five", "enabled": True, "strategies": five},
        {"name": "split", "enabled": True, "strategies": [strategy(SHARE, [])]},
    ]
    cache = FileCache("bench", directory=tempfile.mkdtemp())
    cache.bootstrap_from_dict({"version": 2, "features": features})
    client = UnleashClient("http://127.0.0.1:9/api", "bench", disable_metrics=True, disable_registration=True, cache=cache)
    client.initialize_client(fetch_toggles=False)
    contexts = [{**user, "age": str(user["age"])} for user in EVERYBODY]
    return {
        "on": lambda number: client.is_enabled("on", contexts[number]),
        "five": lambda number: client.get_variant("five", contexts[number])["name"],
        "split": lambda number: client.is_enabled("split", contexts[number]),
    }


def flipt() -> dict[str, Ask]:
    """Fetches its flags from a server on this machine; it ends the whole process when there is none."""
    from flipt_client import FliptClient
    from flipt_client.models import ClientOptions

    def clause(name: str, operator: str, value: str, kind: str = "STRING") -> Any:
        kind = f"{kind}_CONSTRAINT_COMPARISON_TYPE"
        return {"id": name, "type": kind, "property": name, "operator": operator, "value": value}

    listed = [
        [clause("country", "eq", "FR"), clause("plan", "eq", "pro")],
        [clause("age", "gte", "65", "NUMBER")],
        [clause("email", "suffix", "@example.org")],
        [clause("userId", "isoneof", json.dumps(IDS))],
        [clause("country", "isoneof", json.dumps(["DE", "AT"]))],
    ]
    rules = []
    for index, constraints in enumerate(listed):
        segment = {
            "key": f"s{index}",
            "name": "",
            "description": "",
            "matchType": "ALL_SEGMENT_MATCH_TYPE",
            "constraints": constraints,
        }
        part = {
            "id": "",
            "ruleId": "",
            "variantId": f"v{index + 1}",
            "variantKey": f"v{index + 1}",
            "variantAttachment": "",
            "rollout": 100,
        }
        rules.append(
            {
                "id": f"r{index}",
                "segments": [segment],
                "rank": index + 1,
                "segmentOperator": "OR_SEGMENT_OPERATOR",
                "distributions": [part],
            }
        )

    def threshold(rank: int, percentage: int, value: bool) -> Any:
        return {"type": "THRESHOLD_ROLLOUT_TYPE", "rank": rank, "threshold": {"percentage": percentage, "value": value}}

    def flag(name: str, kind: str, rules: list[Any], rollouts: list[Any]) -> Any:
        return {
            "key": name,
            "name": name,
            "description": "",
            "enabled": True,
            "type": f"{kind}_FLAG_TYPE",
            "rules": rules,
            "rollouts": rollouts,
        }

    parts = [threshold(1, SHARE, True), threshold(2, 100, False)]
    flags = [flag("on", "BOOLEAN", [], []), flag("five", "VARIANT", rules, []), flag("split", "BOOLEAN", [], parts)]
    server = _serve(json.dumps({"namespace": {"key": "default"}, "flags": flags}).encode())
    client = FliptClient(ClientOptions(url=f"http://127.0.0.1:{server.server_address[1]}", update_interval=timedelta(hours=1)))
    contexts = [{name: str(value) for name, value in user.items()} for user in EVERYBODY]

    def five(number: int) -> str:
        result = client.evaluate_variant("five", EVERYBODY[number]["userId"], contexts[number])
        return result.variant_key if result.match else "v0"

    def boolean(name: str) -> Ask:
        return lambda number: client.evaluate_boolean(name, EVERYBODY[number]["userId"], contexts[number]).enabled

    return {"on": boolean("on"), "five": five, "split": boolean("split")}


def _serve(content: bytes) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def statsig() -> dict[str, Ask]:
    from statsig_python_core import (
        DynamicConfigEvaluationOptions,
        FeatureGateEvaluationOptions,
        Statsig,
        StatsigOptions,
        StatsigUser,
    )
    from statsig_python_core.data_store import DataStore, DataStoreResponse

    conditions: dict[str, Any] = {
        "all": {"type": "public", "targetValue": None, "operator": None, "field": None, "idType": "userID"}
    }

    def clause(field: str, operator: str, target: Any) -> str:
        key = str(len(conditions))
        conditions[key] = {
            "type": "user_field",
            "targetValue": target,
            "operator": operator,
            "field": field,
            "idType": "userID",
        }
        return key

    def rule(name: str, wanted: list[str], value: Any, share: int = 100) -> Any:
        return {
            "name": name,
            "id": name,
            "salt": name,
            "passPercentage": share,
            "conditions": wanted,
            "returnValue": value,
            "idType": "userID",
        }

    def spec(kind: str, default: Any, rules: list[Any]) -> Any:
        return {
            "type": kind,
            "salt": kind,
            "enabled": True,
            "defaultValue": default,
            "rules": rules,
            "idType": "userID",
            "entity": kind,
            "version": 1,
        }

    listed = [
        [clause("country", "any_case_sensitive", ["FR"]), clause("plan", "any_case_sensitive", ["pro"])],
        [clause("age", "gte", 65)],
        [clause("email", "str_ends_with_any", ["@example.org"])],
        [clause("userID", "any_case_sensitive", IDS)],
        [clause("country", "any_case_sensitive", ["DE", "AT"])],
    ]
    five = [rule(f"r{index}", wanted, {"variant": f"v{index + 1}"}) for index, wanted in enumerate(listed)]
    specs = {
        "dynamic_configs": {"five": spec("dynamic_config", {"variant": "v0"}, five)},
        "feature_gates": {
            "on": spec("feature_gate", False, [rule("all", ["all"], True)]),
            "split": spec("feature_gate", False, [rule("part", ["all"], True, SHARE)]),
        },
        "layer_configs": {},
        "condition_map": conditions,
        "has_updates": True,
        "time": 1_700_000_000_000,
        "response_format": "dcs-v2",
        "experiment_to_layer": {},
    }

    class Store(DataStore):
        def get(self, key: str) -> DataStoreResponse:  # noqa: ARG002 - the engine calls it so
            return DataStoreResponse(json.dumps(specs), 1_700_000_000_000)

    options = StatsigOptions(
        disable_network=True, data_store=Store(), disable_all_logging=True, disable_country_lookup=True, output_log_level="none"
    )
    engine = Statsig("secret-bench", options)
    engine.initialize().wait()
    people = [
        StatsigUser(
            user_id=user["userId"],
            email=user["email"],
            country=user["country"],
            custom={"plan": user["plan"], "age": user["age"]},
        )
        for user in EVERYBODY
    ]
    gate, config = (
        FeatureGateEvaluationOptions(disable_exposure_logging=True),
        DynamicConfigEvaluationOptions(disable_exposure_logging=True),
    )
    return {
        "on": lambda number: engine.check_gate(people[number], "on", gate),
        "five": lambda number: engine.get_dynamic_config(people[number], "five", config).get_string("variant", "v0"),
        "split": lambda number: engine.check_gate(people[number], "split", gate),
    }


PEERS = {
    "statsig-python-core": statsig,
    "launchdarkly-server-sdk": launchdarkly,
    "UnleashClient": unleash,
    "growthbook": growthbook,
    "openfeature-flagd-core": flagd,
    "flipt-client": flipt,
}


def main() -> None:
    logging.disable(logging.CRITICAL)
    said = {}
    for name in sys.argv[1:] or PEERS:
        try:
            said[name] = measure(PEERS[name](), EVERYBODY) | {"version": importlib.metadata.version(name)}
        except Exception as wrong:
            said[name] = {"error": f"{type(wrong).__name__}: {str(wrong)[:200]}"}
    print(json.dumps(said), flush=True)
    # Some engines leave threads behind that would keep the process.
    os._exit(0)


if __name__ == "__main__":
    main()
