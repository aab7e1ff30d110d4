"""The service file to begin with."""

SERVICE = """\
# A service file. Editors check it by the schema that `tidegate schema` prints.
service: web

# Where users reach it. Services on one port share it by host and path.
listener: {port: 8080, host: "*", path: /}

# By what a user is known, so that he stays where he is: this header, else this cookie.
stickiness: {header: x-user-id, cookie: tidegate}

tasks:
  # No shell. {port}, {version}, {service} and {task} are filled in; the task listens on 127.0.0.1:{port}.
  command: [python3, -m, http.server, "{port}", --bind, 127.0.0.1]
  env: {RELEASE: "{version}"}
  count: 2
  health: {path: /, interval: 1s, healthy_after: 2, unhealthy_after: 3, start_within: 30s}
  drain: 10s

# How a new version replaces the one that runs.
plan: {linear: {step: 10%, every: 1m}, bake: 5m}

# What takes it back by itself.
alarms:
  - {name: errors, metric: error_rate, above: 1%, period: 10s, datapoints: 2 of 3, missing: not_breaching}
  - {name: slow, metric: p99, above: 800ms, period: 10s, datapoints: 3 of 3, missing: not_breaching}

# Who is told. Remove the # to use it.
# on: {webhook: "https://chat.example.org/hook", events: [rolled_back, waiting]}
"""
